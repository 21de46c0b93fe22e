/**
 * Makes dist/codis-proxy_<version>_<architecture>.deb of dist/codis-proxy, with dpkg-deb.
 *
 * @module
 */

import denoJson from "../deno.json" with { type: "json" };

const root = new URL("..", import.meta.url).pathname;
const program = `${root}dist/codis-proxy`;
const { version } = denoJson;

/** Debian's names of architectures. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** Where the shells look for completions, by the word that `completion` takes. */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions/codis-proxy",
  zsh: "usr/share/zsh/vendor-completions/_codis-proxy",
  fish: "usr/share/fish/vendor_completions.d/codis-proxy.fish",
} as const;

/** Where its documents are. */
const DOCUMENTS = "usr/share/doc/codis-proxy";

async function output(name: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${name} ${args.join(" ")} failed\n${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** The config as it is shipped, with the folders of the package. */
async function configText(): Promise<string> {
  const text = await Deno.readTextFile(`${root}config.ini`);
  return text.replace(
    /^embedded_dir = .*$/m,
    "embedded_dir = /var/lib/codis-proxy/data",
  );
}

/**
 * Lays out what the package has in it, but for `DEBIAN/control`.
 *
 * @param folder Is there, and empty.
 * @param completionOf Makes the completion of a shell.
 */
export async function layOut(
  folder: string,
  program: string,
  bill: string,
  completionOf: (shell: string) => Promise<string>,
): Promise<void> {
  // A temporary folder is for its owner only, and dpkg would give these rights to `/`.
  await Deno.chmod(folder, 0o755);
  const copy = async (from: string, to: string, mode = 0o644) => {
    await put(folder, to, "");
    await Deno.copyFile(from, `${folder}/${to}`);
    await Deno.chmod(`${folder}/${to}`, mode);
  };
  await copy(program, "usr/bin/codis-proxy", 0o755);
  await Deno.symlink("codis-proxy", `${folder}/usr/bin/codis-config`);
  // No conffile: it has every key, so each version would ask what to do with it, and could not without a terminal.
  await put(folder, "usr/share/codis-proxy/config.ini", await configText());
  const unit = "codis-proxy@.service";
  await copy(`${root}deploy/${unit}`, `usr/lib/systemd/system/${unit}`);
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    await put(folder, path, await completionOf(shell));
  }
  for (const part of ["", "decisions/"]) {
    for (const { name, isFile } of Deno.readDirSync(`${root}docs/${part}`)) {
      if (!isFile || !name.endsWith(".md")) continue;
      await copy(`${root}docs/${part}${name}`, `${DOCUMENTS}/${part}${name}`);
    }
  }
  await copy(`${root}LICENSE`, `${DOCUMENTS}/copyright`);
  for (const name of ["CHANGELOG.md", "SECURITY.md"]) {
    await copy(`${root}${name}`, `${DOCUMENTS}/${name}`);
  }
  await copy(bill, `${DOCUMENTS}/codis-proxy.cdx.json`);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await copy(`${root}deploy/debian/${script}`, `DEBIAN/${script}`, 0o755);
  }
}

async function put(folder: string, path: string, text: string, mode = 0o644): Promise<void> {
  const whole = `${folder}/${path}`;
  await Deno.mkdir(whole.replace(/\/[^/]*$/, ""), { recursive: true, mode: 0o755 });
  await Deno.writeTextFile(whole, text);
  await Deno.chmod(whole, mode);
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "codis-deb-" });
  try {
    const bill = `${root}dist/codis-proxy.cdx.json`;
    await layOut(folder, program, bill, (shell) => output(program, "completion", shell));
    const kib = (await output("du", "-ks", folder)).split("\t")[0];
    const architecture = ARCHITECTURES[Deno.build.arch];
    const control = await Deno.readTextFile(`${root}deploy/debian/control`);
    await put(
      folder,
      "DEBIAN/control",
      control.replace("@VERSION@", version).replace("@ARCHITECTURE@", architecture)
        .replace("@KIB@", `${kib}`),
    );
    const name = `dist/codis-proxy_${version}_${architecture}.deb`;
    // The program is packed already: to pack it hard again takes long and saves nothing.
    await output(
      "dpkg-deb",
      "--root-owner-group",
      "-Zxz",
      "-z1",
      "--build",
      folder,
      `${root}${name}`,
    );
    const { size } = await Deno.stat(`${root}${name}`);
    console.log(`${name}: ${(size / 1e6).toFixed(1)} MB`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
