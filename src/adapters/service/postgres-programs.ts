import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { readEnvironment } from "../../config/env.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { textNow } from "../../shared/live-text.js";
import type { LiveText } from "../../shared/live-text.js";
import { UNLIMITED } from "./postgres-connection.js";

export interface PostgresPrograms {
  /** `postgresql://user:password@host:port/database` */
  dsn: LiveText;
  /** Files of a TLS client. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Folder of the programs; absent: they are found by PATH. */
  bin?: string;
}

/** Parameters of a connection string, and the variables that libpq's programs know them by. */
const PARAMETERS: Record<string, string> = {
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  application_name: "PGAPPNAME",
};
const SHOWN_BYTES = 4_000;

/** Where a program connects to, by its environment: arguments can be read by everybody on the machine. */
function connectionEnvironment({ dsn, tls }: PostgresPrograms): NodeJS.ProcessEnv {
  const url = new URL(textNow(dsn));
  const inherited = readEnvironment();
  const environment: NodeJS.ProcessEnv = {
    PATH: inherited.PATH,
    HOME: inherited.HOME,
    LC_ALL: "C",
    PGHOST: url.searchParams.get("host") ?? decodeURIComponent(url.hostname),
    PGPORT: url.searchParams.get("port") ?? (url.port || "5432"),
    PGUSER: url.searchParams.get("user") ?? decodeURIComponent(url.username),
    PGPASSWORD: url.searchParams.get("password") ?? decodeURIComponent(url.password),
    PGDATABASE: decodeURIComponent(url.pathname.slice(1)),
    PGCONNECT_TIMEOUT: "15",
    // What the server limits for requests is no limit for a dump.
    PGOPTIONS: UNLIMITED,
  };
  for (const [name, variable] of Object.entries(PARAMETERS)) {
    const value = url.searchParams.get(name);
    if (value !== null) environment[variable] = value;
  }
  if (tls?.ca !== undefined) {
    environment.PGSSLROOTCERT = tls.ca;
    environment.PGSSLMODE ??= "verify-full";
  }
  if (tls?.cert !== undefined) environment.PGSSLCERT = tls.cert;
  if (tls?.key !== undefined) environment.PGSSLKEY = tls.key;
  return environment;
}

/**
 * Runs pg_dump or pg_restore to its end.
 * @returns what it wrote to standard output
 * @throws {PreconditionFailedError} when there is no such program
 */
export async function runPostgresProgram(
  programs: PostgresPrograms,
  name: "pg_dump" | "pg_restore",
  args: readonly string[],
): Promise<string> {
  const path = programs.bin === undefined ? name : join(programs.bin, name);
  const child = spawn(path, args, {
    env: connectionEnvironment(programs),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  let complaints = "";
  child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
  child.stderr.on(
    "data",
    (bytes: Buffer) => (complaints = (complaints + bytes.toString()).slice(-SHOWN_BYTES)),
  );
  const [code, signal] = (await once(child, "close").catch((error: NodeJS.ErrnoException) => {
    const where = programs.bin === undefined ? "on PATH" : `in ML_POSTGRES_BIN (${programs.bin})`;
    throw new PreconditionFailedError(`${name} cannot be run ${where}: ${error.message}`);
  })) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}: ${complaints.trim()}`);
  return Buffer.concat(output).toString("utf8");
}

/**
 * Major version of a program.
 * @throws {PreconditionFailedError} when it is older than the server, whose dumps it does not understand
 */
export async function assertRecentProgram(
  programs: PostgresPrograms,
  name: "pg_dump" | "pg_restore",
  serverVersion: string,
): Promise<void> {
  const version = await runPostgresProgram(programs, name, ["--version"]);
  const major = Number(/ (\d+)/.exec(version)?.[1]);
  if (major >= Number.parseInt(serverVersion, 10)) return;
  throw new PreconditionFailedError(
    `${name} is of version ${major}, the server of ${serverVersion}: ` +
      "ML_POSTGRES_BIN must name the folder of programs that are at least as new",
  );
}
