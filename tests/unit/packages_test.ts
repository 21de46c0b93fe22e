/**
 * What is deployed fits the program: flags, keys, ports, paths, users and grace periods of the Helm chart, of the
 * manifests that are made from it, of compose and of the Dockerfile.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { parse } from "@std/yaml/parse";
import denoJson from "../../deno.json" with { type: "json" };
import { plainManifests, renderChart } from "../../deploy/kubernetes.ts";
import { dashboardCommand } from "../../src/cli/dashboard.ts";
import { drainCommand } from "../../src/cli/drain.ts";
import { parseCommandLine, type Subcommand } from "../../src/cli/parts/subcommand.ts";
import { proxyCommand } from "../../src/cli/proxy.ts";
import type { Config } from "../../src/config/config.ts";
import { linesOfFlags } from "../../src/cli/parts/running_config.ts";
import { readConfig } from "../../src/config/load.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);
const CONFIG_PATH = "/etc/codis-proxy/config.ini";

/** A part of a document, whatever it is. */
// deno-lint-ignore no-explicit-any
type Part = any;

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, DEPLOY));
}

/** The documents of a rendering. */
async function rendered(...settings: string[]): Promise<Part[]> {
  const text = await renderChart(settings);
  return text.split(/^---$/m).map((document) => parse(document) as Part)
    .filter((document) => document !== null && document !== undefined);
}

function named(documents: readonly Part[], kind: string, name: string): Part {
  const found = documents.find((each) => each.kind === kind && each.metadata.name === name);
  assert(found !== undefined, `no ${kind} ${name}`);
  return found;
}

/** Reads a config.ini as dashboards, and as proxies with these flags, do; its secrets are in files that `mounted` has. */
function configOf(
  text: string,
  flags: Readonly<Record<string, string>>,
  mounted: (path: string) => boolean,
): Config {
  const sources = {
    variable: () => undefined,
    read: (path: string) => {
      assert(mounted(path), `${path} is not mounted`);
      return new TextEncoder().encode("secret");
    },
  };
  const file = "config.ini";
  const { warnings } = readConfig({ text, file, reader: "control", sources });
  const given = [linesOfFlags(flags)];
  const ofProxy = readConfig({ text, file, reader: "proxy", sources, given });
  assertEquals([warnings, ofProxy.warnings], [[], []]);
  return ofProxy.config;
}

/** The flags of a command line, which must be one that the program takes. */
function flagsOf(words: readonly string[], command: Subcommand): Readonly<Record<string, string>> {
  assertEquals(words[0], command.name);
  // Kubernetes puts the values in.
  const filled = words.slice(1).map((word) =>
    word.replace("$(POD_IP)", "10.1.2.3").replace("$(POD_NAME)", "codis-proxy-5d")
  );
  const invocation = parseCommandLine(command, filled);
  assert(invocation.kind === "run");
  assertEquals(invocation.values["c"], CONFIG_PATH);
  return invocation.values;
}

function portOf(addr: string): number {
  return Number(addr.split(":").at(-1));
}

/** What a container of the program runs, as Kubernetes has it, fits together. */
function checkPod(documents: readonly Part[], pod: Part, command: Subcommand, ports: string[]) {
  const [container] = pod.containers;
  const values = flagsOf(container.args, command);
  const declared = new Map<string, number>(
    container.ports.map((port: Part) => [port.name, port.containerPort]),
  );
  assertEquals([...declared.values()], ports.map((flag) => portOf(values[flag]!)));
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { path, port } = container[probe].httpGet;
    assert(declared.has(port) && ["/", "/healthz"].includes(path), `${probe} ${path} ${port}`);
  }
  assertEquals(container.securityContext.readOnlyRootFilesystem, true);
  assertEquals([pod.securityContext.runAsNonRoot, pod.securityContext.runAsUser], [true, 9000]);
  for (const { name, mountPath } of container.volumeMounts) {
    const volume = pod.volumes.find((each: Part) => each.name === name);
    if (volume.configMap !== undefined) {
      const { data } = named(documents, "ConfigMap", volume.configMap.name);
      assert(mountPath !== "/etc/codis-proxy" || "config.ini" in data);
    }
  }
}

const SECRETS = ["password", "redis_password", "dashboard_token"];

/** Everything that is made of the chart with some settings fits the program. */
function checkChart(documents: readonly Part[]): Config {
  const { data } = named(documents, "ConfigMap", "codis-config");
  const proxy = named(documents, "Deployment", "codis-proxy").spec.template.spec;
  const config = configOf(
    data["config.ini"],
    flagsOf(proxy.containers[0].args, proxyCommand),
    (path) => SECRETS.some((name) => path === `/run/secrets/codis-proxy/${name}`),
  );
  checkPod(documents, proxy, proxyCommand, ["addr", "http-addr"]);
  const graceMs = proxy.terminationGracePeriodSeconds * 1000;
  assert(graceMs > config.drainDelayMs + config.drainTimeoutMs + 15_000, `${graceMs} ms`);
  const [program, ...drain] = proxy.containers[0].lifecycle.preStop.exec.command;
  assertEquals(program, "codis-proxy");
  const asked = portOf(flagsOf(drain, drainCommand)["http-addr"]!);
  assertEquals(
    asked,
    proxy.containers[0].ports.find((port: Part) => port.name === "http").containerPort,
  );
  const dashboard = named(documents, "Deployment", "codis-dashboard").spec.template.spec;
  checkPod(documents, dashboard, dashboardCommand, ["addr"]);
  const { hostname, port } = config.dashboardAddr!;
  const service = named(documents, "Service", hostname);
  assertEquals([service.spec.ports[0].port, service.spec.ports[0].targetPort], [port, "http"]);
  return config;
}

Deno.test("deploy/kubernetes is what `deno task gen:kubernetes` makes of the chart, which is of this version", async () => {
  assertEquals(await read("kubernetes/codis-proxy.yaml"), await plainManifests());
  assertEquals(
    (parse(await read("helm/codis-proxy/Chart.yaml")) as Part).appVersion,
    denoJson.version,
  );
});

Deno.test("the chart starts the program with keys, flags, ports and paths that it has", async () => {
  const documents = await rendered();
  const config = checkChart(documents);
  assertEquals([config.coordinator, config.failover], ["etcd", "auto"]);
  const [job] = documents.filter(({ kind }) => kind === "Job");
  const [container] = job.spec.template.spec.containers;
  assertEquals(container.command.slice(0, 2), ["sh", "/etc/codis-proxy/first_start.sh"]);
  // Each server is a pod of a set.
  const servers = container.command.slice(2).flatMap((group: string) => group.split(","));
  const suffix = ".codis-redis.codis.svc.cluster.local:6379";
  assertEquals(
    servers,
    ["1-0", "1-1", "2-0", "2-1"].map((name) => `codis-redis-${name}${suffix}`),
  );
  for (const group of [1, 2]) {
    const set = named(documents, "StatefulSet", `codis-redis-${group}`).spec;
    assertEquals([set.replicas, set.serviceName], [2, "codis-redis"]);
    assertEquals(set.template.spec.containers[0].command, ["sh", "/etc/codis-redis/redis.sh"]);
  }
  assertEquals(Object.keys(named(documents, "Secret", "codis-secret").data), SECRETS);
  for (const { kind, metadata, spec } of documents) {
    if (!["Deployment", "StatefulSet"].includes(kind)) continue;
    assertEquals(spec.template.metadata.labels, {
      ...spec.template.metadata.labels,
      ...spec.selector.matchLabels,
    });
    named(documents, "PodDisruptionBudget", metadata.name);
  }
});

Deno.test("values change what they say", async () => {
  const documents = await rendered(
    ...["redis.groups=3", "redis.replicas=1", "proxy.drainDelay=20", "proxy.drainTimeout=600"],
    ...[
      "config.max_clients=20000",
      "config.read_from=nearest",
      "config.proxy_max_buffer=536870912",
    ],
  );
  const config = checkChart(documents);
  assertEquals(
    [config.drainTimeoutMs, config.maxClients, config.readFrom, config.proxyMaxBufferBytes],
    [600_000, 20_000, "nearest", 536_870_912],
  );
  assertEquals(documents.filter(({ kind }) => kind === "StatefulSet").length, 4);
});

Deno.test("a value that the chart does not have, or that breaks a rule, is refused and named", async () => {
  for (
    const [setting, told] of [
      ["proxy.replica=3", "'replica' not allowed"],
      ["dashbord.replicas=3", "'dashbord' not allowed"],
      ["etcd.replicas=2", "/etcd/replicas"],
      ["proxy.drainTimeout=3601", "/proxy/drainTimeout"],
    ] as const
  ) await assertRejects(() => renderChart([setting]), Error, told);
});

Deno.test("servers and the coordinator may be elsewhere", async () => {
  const settings = ["redis.enabled=false", "etcd.enabled=false", "coordinator.kind=zookeeper"];
  const documents = await rendered(...settings, "coordinator.zk=zk-1:2181\\,zk-2:2181");
  assertEquals([
    checkChart(documents).coordinator,
    checkChart(documents).coordinatorEndpoints.length,
  ], [
    "zookeeper",
    2,
  ]);
  const kinds = new Set(documents.map(({ kind }) => kind));
  assertEquals([kinds.has("StatefulSet"), kinds.has("Job")], [false, false]);
  await assertRejects(() => renderChart(settings), Error, "coordinator.zk is needed");
});

Deno.test("compose starts the program with keys, flags, ports and paths that it has", async () => {
  const { services, secrets } = parse(await read("compose/compose.yaml")) as Part;
  const config = configOf(
    await read("compose/config.ini"),
    flagsOf(services["proxy-1"].command, proxyCommand),
    (path) => Object.keys(secrets).some((name) => path === `/run/secrets/${name}`),
  );
  for (const name of ["proxy-1", "proxy-2"]) {
    const { command, ports, stop_grace_period, volumes } = services[name];
    const values = flagsOf(command, proxyCommand);
    assertEquals([values["proxy-id"], portOf(values["addr"]!)], [name, portOf(ports[0])]);
    assert(parseInt(stop_grace_period) * 1000 > config.drainTimeoutMs + 10_000);
    assert(volumes.includes(`./config.ini:${CONFIG_PATH}:ro`));
  }
  const dashboard = services[config.dashboardAddr!.hostname];
  const addr = flagsOf(dashboard.command, dashboardCommand)["addr"]!;
  assertEquals(portOf(addr), config.dashboardAddr!.port);
  for (const server of services["first-start"].command.join(",").split(",")) {
    const [host, port] = server.split(":");
    assertEquals([services[host].hostname, port], [host, "6379"]);
  }
  const mounted = Object.values(services as Record<string, Part>).flatMap(({ volumes }) => volumes)
    .filter((volume: string) => /^\.\.?\//.test(volume)).map((volume) => volume.split(":")[0]);
  for (const path of new Set(mounted)) await read(`compose/${path}`);
});

/** Programs as `make build` may make them. */
const BUILT = {
  "deno compile": "echo codis-proxy 0.1.0",
  "the self-extracting file": `umask 077; app=$XDG_CACHE_HOME/codis-proxy/0123
    mkdir -p $app/cache/gen && touch $app/deno $app/main.js $app/cache/gen/x && chmod 755 $app/deno`,
};

for (const [maker, script] of Object.entries(BUILT)) {
  Deno.test(`the image can be built of what ${maker} has made, and any user can run that`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.mkdir(`${folder}/dist`);
      const program = `${folder}/dist/codis-proxy`;
      await Deno.writeTextFile(program, `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
      const [, step] = /^ENV XDG_CACHE_HOME=\/opt\nRUN (.*)$/m.exec(await read("Dockerfile"))!;
      const { success, stderr } = await new Deno.Command("sh", {
        args: ["-ec", step!.replaceAll("/opt/", `${folder}/opt/`)],
        cwd: folder,
        env: { XDG_CACHE_HOME: `${folder}/opt` },
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      // It is copied into the image, whether there is something in it or not.
      const found: string[] = [];
      const look = (path: string) => {
        const { mode, isDirectory } = Deno.statSync(path);
        found.push(`${path.slice(folder.length)} ${(mode! & 0o777).toString(8)}`);
        if (isDirectory) { for (const { name } of Deno.readDirSync(path)) look(`${path}/${name}`); }
      };
      look(`${folder}/opt/codis-proxy`);
      assertEquals(
        found.sort(),
        maker === "deno compile" ? ["/opt/codis-proxy 755"] : [
          "/opt/codis-proxy 755",
          "/opt/codis-proxy/0123 755",
          "/opt/codis-proxy/0123/deno 755",
          "/opt/codis-proxy/0123/main.js 644",
        ],
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("the image has the user, the ports and the folders that the others count on", async () => {
  const text = await read("Dockerfile");
  const [, command] = /^CMD (\[.*\])$/m.exec(text)!;
  const values = flagsOf(JSON.parse(command!), proxyCommand);
  assertEquals(
    /^EXPOSE (.*)$/m.exec(text)![1],
    `${portOf(values["addr"]!)} ${portOf(values["http-addr"]!)}`,
  );
  assertEquals(/^USER (.*)$/m.exec(text)![1], "9000:9000");
  // Where they are read-only, these are not; Kubernetes and compose count on it.
  const [, runtime] = /^ENV .*XDG_RUNTIME_DIR=(\S+)/m.exec(text)!;
  const volumes: string[] = JSON.parse(/^VOLUME (.*)$/m.exec(text)![1]!);
  assertEquals(volumes, [/^WORKDIR (\/var\S*)$/m.exec(text)![1]!, runtime]);
  const [{ spec }] = (await rendered()).filter(({ kind }) => kind === "Deployment");
  const [container] = spec.template.spec.containers;
  assert(container.volumeMounts.some(({ mountPath }: Part) => mountPath === runtime));
});
