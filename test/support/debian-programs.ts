import { existsSync } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cachedFolder } from "./cache-folder.js";
import { runProgram } from "./run-program.js";

/** What the tests run on where none is installed. */
const RELEASE = "trixie";
const MAJOR = 17;
const PACKAGES = [`postgresql-${MAJOR}`, `postgresql-${MAJOR}-pgvector`, "pgbouncer"];
const POSTGRES = `usr/lib/postgresql/${MAJOR}/bin`;
const PGBOUNCER = "usr/sbin/pgbouncer";

/** Packages that these depend on, and whose files their programs do not load. */
const NOT_NEEDED =
  /^(perl|lib.*-perl$|libperl|libllvm|libz3|locales|libc-l10n|postgresql-common|login|passwd|adduser|ucf|debconf|debianutils|procps|ssl-cert|openssl$)/;

/**
 * Debian's packages unpacked into the user's cache, without root and without a change to the system.
 * @returns the folder of PostgreSQL's programs, and the file of PgBouncer
 * @throws where they cannot be had
 */
export async function debianPrograms(): Promise<{ postgres: string; pgbouncer: string }> {
  const root = await cachedFolder(`postgres-${MAJOR}-pgbouncer-${RELEASE}`, unpackPackages);
  return { postgres: join(root, POSTGRES), pgbouncer: join(root, PGBOUNCER) };
}

/** Fills the draft with the packages, fetched and verified by apt with a state folder of our own. */
async function unpackPackages(draft: string): Promise<void> {
  const work = join(draft, ".apt");
  try {
    const env = await privateApt(work);
    const apt = (...args: string[]) => runProgram("apt-get", ["-qq", ...args], { env, cwd: work });
    await apt("update");
    const plan = await apt("--simulate", "install", ...PACKAGES);
    const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
    await apt("download", ...packages.filter((name) => !NOT_NEEDED.test(name)));
    for (const file of await readdir(work)) {
      if (file.endsWith(".deb")) await runProgram("dpkg-deb", ["--extract", join(work, file), draft]);
    }
    await bringOwnLoader(draft);
  } catch (error) {
    const reason = (error as Error).message.trim();
    throw new Error(`PostgreSQL and PgBouncer could not be fetched (${reason})`, { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  for (const ballast of ["var", "etc", "usr/include", "usr/share/doc", "usr/share/man"]) {
    await rm(join(draft, ballast), { recursive: true, force: true });
  }
  await runProgram("chmod", ["-R", "a+rX", draft]);
}

/** Settings of apt that know the machine's own Debian mirror, its keyring, and nothing that is installed. */
async function privateApt(work: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(join(work, "state/lists/partial"), { recursive: true });
  await mkdir(join(work, "cache/archives/partial"), { recursive: true });
  await mkdir(join(work, "parts"));
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  if (!existsSync(keyring)) throw new Error("this is not Debian");
  const sites = (await runProgram("apt-get", ["indextargets", "--format", "$(SITE)"])).split("\n");
  const main = sites.find((site) => /\/debian\/?$/.test(site));
  if (!main) throw new Error("apt knows no Debian mirror");
  const security = sites.find((site) => /\/debian-security\/?$/.test(site));
  const lines = [`${main} ${RELEASE}`, `${main} ${RELEASE}-updates`];
  if (security) lines.push(`${security} ${RELEASE}-security`);
  const sources = lines.map((line) => `deb [signed-by=${keyring}] ${line} main\n`).join("");
  await writeFile(join(work, "sources.list"), sources);
  await writeFile(join(work, "status"), "");
  const settings = {
    "Dir::State": join(work, "state"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": join(work, "cache"),
    "Dir::Etc::sourcelist": join(work, "sources.list"),
    "Dir::Etc::sourceparts": join(work, "parts"),
    "Dir::Etc::preferencesparts": join(work, "parts"),
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "",
    "Acquire::Retries": "3",
    "Acquire::Languages": "none",
  };
  const lined = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  await writeFile(join(work, "apt.conf"), lined.join(""));
  return { ...process.env, APT_CONFIG: join(work, "apt.conf"), LC_ALL: "C" };
}

/**
 * The packages are of another release than the machine may be: each program starts through the C library's loader
 * that came with it.
 */
async function bringOwnLoader(root: string): Promise<void> {
  const libraries = (await readdir(join(root, "usr/lib"))).find((name) => name.endsWith("-linux-gnu"))!;
  const loader = (await readdir(join(root, "usr/lib", libraries))).find((name) =>
    name.startsWith("ld-linux"),
  )!;
  const programs = (await readdir(join(root, POSTGRES))).map((name) => join(root, POSTGRES, name));
  for (const program of [...programs, join(root, PGBOUNCER)]) {
    if (!(await isElf(program))) continue;
    await rename(program, `${program}.elf`);
    await writeFile(
      program,
      `#!/bin/sh
self=$(readlink -f "$0")
libraries=\${self%/usr/*}/usr/lib/${libraries}
exec "$libraries/${loader}" --library-path "$libraries" --argv0 "$self" "$self.elf" "$@"
`,
    );
    await chmod(program, 0o755);
  }
}

async function isElf(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1") === "\x7fELF";
  } finally {
    await file.close();
  }
}
