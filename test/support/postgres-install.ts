import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { debianPrograms } from "./debian-programs.js";
import { runProgram } from "./run-program.js";

const OLDEST_MAJOR = 15;
/** The first pgvector with HNSW indexes. */
const OLDEST_PGVECTOR = [0, 5];

const INSTALL_HINT =
  `install PostgreSQL ${OLDEST_MAJOR} or newer with pgvector ${OLDEST_PGVECTOR.join(".")} or newer ` +
  "(Debian, Ubuntu: postgresql-<version> and postgresql-<version>-pgvector; macOS: postgresql@17 and pgvector " +
  "of Homebrew), or set TEST_POSTGRES_BIN to the folder of its programs";

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
  const { postgres } = await debianPrograms().catch((error: Error) => {
    throw new Error(`${error.message}; ${INSTALL_HINT}`, { cause: error });
  });
  return postgres;
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
