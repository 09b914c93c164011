import { spawnSync } from "node:child_process";
import type { TlsFiles } from "../../src/config/config.js";
import { freePort } from "./free-port.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";
import { temporaryFolder } from "./temporary-folder.js";

export interface RedisServer {
  port: number;
  /** With the password, where it has one. */
  url: string;
  folder: string;
  /** One command on a connection of its own. @returns its answer as `redis-cli` prints it */
  ask(...command: string[]): Promise<string>;
  /** The same with another password than it was started with. */
  askAs(password: string, ...command: string[]): Promise<string>;
  stop(): Promise<void>;
  /** Ends it as a power loss does; its folder stays. */
  kill(): Promise<void>;
  /** After `kill`: the same server on the same port, with what its append-only file has, or empty. */
  restart(): Promise<void>;
  /** Accepts connections and answers nothing until it is resumed. */
  pause(): void;
  resume(): void;
}

export interface RedisServerOptions {
  /** `noeviction` by default, as queues need it. */
  policy?: string;
  /** Bytes, or such as 2mb. */
  maxmemory?: string;
  password?: string;
  /** Speaks nothing but TLS, to clients with a certificate of the authority such as this one is. */
  tls?: Required<TlsFiles>;
  /** Appends each write to disk before it answers; otherwise all is in memory. */
  appendOnly?: boolean;
  port?: number;
  /** More of its settings, e.g. `--cluster-enabled yes`. */
  settings?: readonly string[];
}

/** Whether this machine has a Redis to start. */
export const redisIsInstalled = spawnSync("redis-server", ["--version"]).status === 0;

/** A Redis of our own. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await temporaryFolder();
  const port = options.port ?? (await freePort());
  const { password, tls } = options;
  const client = ["-p", String(port), ...(tls ? ["--tls", ...tlsArguments(tls, CLIENT_TLS)] : [])];
  const askWith = (access: readonly string[], command: readonly string[]) =>
    runProgram("redis-cli", ["-e", ...client, ...access, ...command]);
  const access = (given: string) => ["--no-auth-warning", "-a", given];
  const ask = (...command: string[]) => askWith(password === undefined ? [] : access(password), command);
  const launch = () =>
    startServerProcess("redis-server", toArguments(folder.path, port, options), {
      folder: folder.path,
      answers: () => ask("PING"),
    });
  let server = await launch();
  const credentials = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
  return {
    port,
    url: `${tls ? "rediss" : "redis"}://${credentials}127.0.0.1:${port}`,
    folder: folder.path,
    ask,
    askAs: (given, ...command) => askWith(access(given), command),
    stop: async () => {
      // One that is paused heeds nothing else.
      await server.end("SIGKILL");
      await folder.remove();
    },
    kill: () => server.end("SIGKILL"),
    restart: async () => {
      server = await launch();
    },
    pause: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
  };
}

function toArguments(folder: string, port: number, options: RedisServerOptions): string[] {
  const { policy = "noeviction", maxmemory, password, tls, appendOnly = false, settings = [] } = options;
  const ports = tls
    ? ["--port", "0", "--tls-port", String(port), ...tlsArguments(tls, SERVER_TLS)]
    : ["--port", String(port)];
  return [
    ...ports,
    ...["--bind", "127.0.0.1", "--dir", folder, "--save", "", "--maxmemory-policy", policy],
    ...(maxmemory === undefined ? [] : ["--maxmemory", maxmemory]),
    ...(password === undefined ? [] : ["--requirepass", password, "--masterauth", password]),
    ...(appendOnly ? ["--appendonly", "yes", "--appendfsync", "always"] : []),
    ...settings,
  ];
}

/** Of the server, and of `redis-cli`, which names them otherwise. */
const SERVER_TLS = { ca: "--tls-ca-cert-file", cert: "--tls-cert-file", key: "--tls-key-file" };
const CLIENT_TLS = { ca: "--cacert", cert: "--cert", key: "--key" };

function tlsArguments({ ca, cert, key }: Required<TlsFiles>, names: typeof SERVER_TLS): string[] {
  return [names.ca, ca, names.cert, cert, names.key, key];
}
