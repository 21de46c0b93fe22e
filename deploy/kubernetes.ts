/**
 * Writes deploy/kubernetes/codis-proxy.yaml, for who has no Helm: the chart with its default values.
 *
 * @module
 */

const CHART = new URL("./helm/codis-proxy", import.meta.url).pathname;

/** What the written file is, and what it needs. */
const HEAD = `\
# Made from deploy/helm/codis-proxy by "deno task gen:kubernetes": change that. For a namespace codis:
#
#     kubectl create namespace codis
#     kubectl -n codis create secret generic codis-secret --from-literal=password=… \\
#       --from-literal=redis_password=… --from-literal=dashboard_token=…
#     kubectl -n codis apply -f codis-proxy.yaml
#
# docs/packages.md says more.
`;

/**
 * The manifests of a release `codis` in the namespace `codis`, as Helm renders them.
 *
 * @param settings As with Helm's `--set`: `redis.groups=3`.
 * @throws {Error} With Helm's own words, when the chart refuses.
 */
export async function renderChart(settings: readonly string[] = []): Promise<string> {
  const args = ["template", "codis", CHART, "--namespace=codis"];
  const { success, stdout, stderr } = await new Deno.Command("helm", {
    args: [...args, ...settings.map((setting) => `--set=${setting}`)],
  }).output();
  if (!success) throw new Error(`helm template failed\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The text of deploy/kubernetes/codis-proxy.yaml. */
export async function plainManifests(): Promise<string> {
  return HEAD + await renderChart(["secret.existing=codis-secret"]);
}

if (import.meta.main) {
  const folder = new URL("./kubernetes/", import.meta.url);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(new URL("codis-proxy.yaml", folder), await plainManifests());
}
