import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chown, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { debianPrograms } from "./debian-programs.js";
import { freePort } from "./free-port.js";
import { dataFolder, serverEnvironment, serverUser } from "./postgres-server.js";
import { startServerProcess } from "./server-process.js";

export interface PgbouncerOptions {
  /** What follows `*` in its list of databases, e.g. `host=127.0.0.1 port=5433`. */
  server: string;
  /** Those that it knows by itself, with their passwords. */
  users?: Record<string, string>;
  /** Of its section `[pgbouncer]`, beside the defaults here. */
  settings?: Record<string, string>;
  /** Further settings, each of which names a file: copies that it may read take their place. */
  files?: Record<string, string>;
  /** Rules of who is let in, and by what; by their passwords without it. */
  hba?: string;
}

export interface PgbouncerServer {
  port: number;
  /** `host:port` */
  address: string;
  /** What its console answers, e.g. to `SHOW POOLS`, where it lets clients in without TLS. */
  show(command: string): Promise<Record<string, unknown>[]>;
  /** Ends it as a machine that dies does; its folder stays. */
  kill(): Promise<void>;
  /** Starts again on the same port, after `kill`. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

const CONSOLE_USER = "console";

/** A PgBouncer of our own that pools transactions, on a free loopback port; ends with this process. */
export async function startPgbouncer({
  server,
  users = {},
  settings = {},
  files = {},
  hba,
}: PgbouncerOptions): Promise<PgbouncerServer> {
  const { pgbouncer } = await debianPrograms();
  const folder = await dataFolder();
  const port = await freePort();
  const password = randomBytes(18).toString("base64url");
  const owner = serverUser();
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    if (owner.uid !== undefined) await chown(file, owner.uid, owner.gid!);
    return file;
  };
  const known = Object.entries({ ...users, [CONSOLE_USER]: password });
  const all: Record<string, string> = {
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    unix_socket_dir: "",
    pool_mode: "transaction",
    auth_type: hba === undefined ? "scram-sha-256" : "hba",
    auth_file: await write("users", known.map(([name, secret]) => `"${name}" "${secret}"\n`).join("")),
    ...(hba === undefined ? {} : { auth_hba_file: await write("hba", hba) }),
    stats_users: CONSOLE_USER,
    ...settings,
  };
  for (const [name, file] of Object.entries(files))
    all[name] = await write(name, await readFile(file, "utf8"));
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`);
  const config = await write("pgbouncer.ini", `[databases]\n* = ${server}\n[pgbouncer]\n${lines.join("")}`);
  const show = async (command: string) => {
    const login = { host: "127.0.0.1", port, user: CONSOLE_USER, password, database: "pgbouncer" };
    const client = new pg.Client(login);
    await client.connect();
    try {
      // Its console speaks the simple protocol alone, in which `pg` sends what has no values.
      return (await client.query<Record<string, unknown>>(command)).rows;
    } finally {
      await client.end();
    }
  };
  const answers = async () => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect").finally(() => socket.destroy());
  };
  const launch = () =>
    startServerProcess(pgbouncer, [config], {
      ...owner,
      ...{ env: serverEnvironment(folder), cwd: folder, folder, answers },
    });
  let running = await launch();
  return {
    port,
    address: `127.0.0.1:${port}`,
    show,
    kill: () => running.kill(),
    restart: async () => void (running = await launch()),
    remove: async () => {
      await running.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
