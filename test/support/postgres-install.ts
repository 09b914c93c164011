import { existsSync } from "node:fs";
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cachedFolder } from "./cache-folder.js";
import { runProgram } from "./run-program.js";

/** What the tests run on where none is installed: Debian's packages of this release. */
const MAJOR = 17;
const RELEASE = "trixie";
const OLDEST_MAJOR = 15;
/** The first pgvector with HNSW indexes. */
const OLDEST_PGVECTOR = [0, 5];

const INSTALL_HINT =
  `install PostgreSQL ${OLDEST_MAJOR} or newer with pgvector ${OLDEST_PGVECTOR.join(".")} or newer ` +
  "(Debian, Ubuntu: postgresql-<version> and postgresql-<version>-pgvector; macOS: postgresql@17 and pgvector " +
  "of Homebrew), or set TEST_POSTGRES_BIN to the folder of its programs";

/** Packages that PostgreSQL's own depend on and its programs do not load. */
const NOT_NEEDED =
  /^(perl|lib.*-perl$|libperl|libllvm|libz3|locales|libc-l10n|postgresql-common|login|passwd|adduser|ucf|debconf|debianutils|procps|ssl-cert|openssl$)/;

/**
 * The folder of PostgreSQL's programs: what `TEST_POSTGRES_BIN` names, what is installed, or else Debian's packages
 * unpacked into the user's cache, without root and without a change to the system.
 * @throws saying what to install where none of these can be had
 */
export async function findPostgres(): Promise<string> {
  const named = process.env.TEST_POSTGRES_BIN;
  if (named) {
    const lack = await whatLacks(named);
    if (lack) throw new Error(`TEST_POSTGRES_BIN=${named}: ${lack}`);
    return named;
  }
  for (const bin of await installedFolders()) {
    if ((await whatLacks(bin)) === undefined) return bin;
  }
  const folder = await cachedFolder(`postgres-${MAJOR}-${RELEASE}`, unpackPackages);
  return join(folder, "usr/lib/postgresql", String(MAJOR), "bin");
}

async function installedFolders(): Promise<string[]> {
  const folders = await runProgram("pg_config", ["--bindir"]).then(
    (output) => [output.trim()],
    () => [],
  );
  const debian = "/usr/lib/postgresql";
  const majors = await readdir(debian).catch(() => []);
  majors.sort((a, b) => Number(b) - Number(a));
  return [...majors.map((major) => join(debian, major, "bin")), ...folders];
}

/** Why the programs of a folder do not do, or undefined. */
async function whatLacks(bin: string): Promise<string | undefined> {
  if (!["initdb", "postgres", "pg_basebackup"].every((name) => existsSync(join(bin, name)))) {
    return "has no initdb, postgres and pg_basebackup";
  }
  const version = await runProgram(join(bin, "postgres"), ["--version"]);
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1]);
  if (!(major >= OLDEST_MAJOR)) return `is ${version.trim()}, needs ${OLDEST_MAJOR} or newer`;
  const pgvector = await pgvectorVersion(bin, major);
  if (pgvector === undefined) return "has no pgvector";
  const [least, minor] = pgvector as [number, number];
  const recent = least > OLDEST_PGVECTOR[0]! || minor >= OLDEST_PGVECTOR[1]!;
  return recent
    ? undefined
    : `has pgvector ${pgvector.join(".")}, needs ${OLDEST_PGVECTOR.join(".")} or newer`;
}

async function pgvectorVersion(bin: string, major: number): Promise<number[] | undefined> {
  const shared = await runProgram(join(bin, "pg_config"), ["--sharedir"]).catch(
    () => `/usr/share/postgresql/${major}`,
  );
  const control = await readFile(join(shared.trim(), "extension/vector.control"), "utf8").catch(() => "");
  return /default_version = '([\d.]+)'/.exec(control)?.[1]?.split(".").map(Number);
}

/** Fills the draft with the packages, fetched and verified by apt with a state folder of our own. */
async function unpackPackages(draft: string): Promise<void> {
  const work = join(draft, ".apt");
  try {
    const env = await privateApt(work);
    const apt = (...args: string[]) => runProgram("apt-get", ["-qq", ...args], { env, cwd: work });
    await apt("update");
    const wanted = [`postgresql-${MAJOR}`, `postgresql-${MAJOR}-pgvector`];
    const plan = await apt("--simulate", "install", ...wanted);
    const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
    await apt("download", ...packages.filter((name) => !NOT_NEEDED.test(name)));
    for (const file of await readdir(work)) {
      if (file.endsWith(".deb")) await runProgram("dpkg-deb", ["--extract", join(work, file), draft]);
    }
    await bringOwnLoader(draft);
  } catch (error) {
    throw new Error(`PostgreSQL could not be fetched (${(error as Error).message.trim()}); ${INSTALL_HINT}`, {
      cause: error,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  for (const ballast of ["var", "etc", "usr/sbin", "usr/include", "usr/share/doc", "usr/share/man"]) {
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
  const bin = join(root, "usr/lib/postgresql", String(MAJOR), "bin");
  const libraries = (await readdir(join(root, "usr/lib"))).find((name) => name.endsWith("-linux-gnu"))!;
  const loader = (await readdir(join(root, "usr/lib", libraries))).find((name) =>
    name.startsWith("ld-linux"),
  )!;
  for (const name of await readdir(bin)) {
    const program = join(bin, name);
    if (!(await isElf(program))) continue;
    await rename(program, `${program}.elf`);
    await writeFile(
      program,
      `#!/bin/sh
self=$(readlink -f "$0")
libraries=\${self%/usr/lib/postgresql/*}/usr/lib/${libraries}
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
