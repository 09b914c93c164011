import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.js";
import { startPlatform } from "./platform.js";
import type { Platform } from "./platform.js";
import { removeServicePlace, serviceEnvironment } from "./service-tier.js";
import { TEST_SECRET, bearer, issueToken } from "./tokens.js";

/** The servers that all processes share. */
export interface ClusterServers {
  dsn: string;
  redisUrl: string;
  s3: { endpoint: string; bucket: string };
}

export interface ClusterOptions {
  /** A place on the servers of this run when absent. */
  servers?: ClusterServers;
  gateways: number;
  /** How many, or the command line of each: `[["--queues", "training"], []]`. */
  workers: number | readonly (readonly string[])[];
  /** Of every process, beside what the cluster sets itself. */
  environment?: Record<string, string>;
}

/** A gateway or worker as a process of its own; its port and its folder outlive it. */
export interface ClusterProcess extends Platform {
  readonly kind: "gateway" | "worker";
  /** Kill -9. */
  kill(): Promise<void>;
  /** SIGSTOP: alive to the system, silent to everybody. */
  pause(): void;
  resume(): void;
  /** Starts it again after `stop` or `kill`, or stops it before; `environment` changes what it is given. */
  restart(environment?: Record<string, string>): Promise<void>;
}

export interface Cluster {
  readonly gateways: ClusterProcess[];
  readonly workers: ClusterProcess[];
  /** An administrator's, sent with every operation of the gateways. */
  readonly token: string;
  /** What every process is started with, beside its port. */
  readonly environment: Readonly<Record<string, string>>;
  /** Rows of one statement in the database. */
  query<T extends object>(sql: string): Promise<T[]>;
  addGateway(environment?: Record<string, string>): Promise<ClusterProcess>;
  addWorker(args?: readonly string[], environment?: Record<string, string>): Promise<ClusterProcess>;
  /** Kills all processes and removes their folders; the servers are whose they were. */
  remove(): Promise<void>;
}

/** Longer than any test. */
const TOKEN_SECONDS = 6 * 3600;

/** Starts gateways and workers as an operator does, and waits until all of them are ready. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "254carbon-cluster-"));
  const token = issueToken({ exp: Math.floor(Date.now() / 1000) + TOKEN_SECONDS });
  const { servers } = options;
  const place = servers ? addressesOf(servers) : await serviceEnvironment(folder, { migrated: true });
  const shared: Record<string, string> = { ...COMMON, ...place, ...options.environment };
  const gateways: ClusterProcess[] = [];
  const workers: ClusterProcess[] = [];
  let started = 0;
  const start = async (
    kind: ClusterProcess["kind"],
    args: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<ClusterProcess> => {
    const dataDir = join(folder, `${kind}-${started++}`);
    const port = String(await freePort());
    const own = { ...shared, ML_PORT: port, ...environment };
    const made = await startClusterProcess(kind, { args: [kind, ...args], dataDir, environment: own, token });
    (kind === "gateway" ? gateways : workers).push(made);
    return made;
  };
  const remove = async () => {
    await Promise.all([...gateways, ...workers].map((each) => each.kill()));
    if (!servers) await removeServicePlace(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const lines =
    typeof options.workers === "number" ? Array<string[]>(options.workers).fill([]) : options.workers;
  const starts = [
    ...Array.from({ length: options.gateways }, () => start("gateway", [])),
    ...lines.map((args) => start("worker", args)),
  ];
  const failed = (await Promise.allSettled(starts)).find(({ status }) => status === "rejected");
  if (failed) {
    await remove();
    throw (failed as PromiseRejectedResult).reason;
  }
  return {
    ...{ gateways, workers, token, remove, environment: shared },
    query: (sql) => queryDatabase(shared.ML_VECTOR_DB_DSN!, sql),
    addGateway: (environment) => start("gateway", [], environment),
    addWorker: (args = [], environment) => start("worker", args, environment),
  };
}

const COMMON = { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET, ML_INFERENCE_WORKERS: "1" };

function addressesOf({ dsn, redisUrl, s3 }: ClusterServers): Record<string, string> {
  return {
    ML_VECTOR_DB_DSN: dsn,
    ML_REDIS_URL: redisUrl,
    ML_S3_ENDPOINT: s3.endpoint,
    ML_S3_BUCKET: s3.bucket,
    ML_S3_ACCESS_KEY_ID: "test",
    ML_S3_SECRET_ACCESS_KEY: "test-secret",
  };
}

async function queryDatabase<T extends object>(dsn: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

interface ProcessPlan {
  args: readonly string[];
  dataDir: string;
  environment: Record<string, string>;
  token: string;
}

async function startClusterProcess(
  kind: ClusterProcess["kind"],
  { args, dataDir, environment, token }: ProcessPlan,
): Promise<ClusterProcess> {
  const launch = (changed: Record<string, string> = {}) =>
    startPlatform({ args, dataDir, environment: { ...environment, ...changed }, headers: bearer(token) });
  let current = await launch();
  const signal = (name: NodeJS.Signals) => void process.kill(current.pid, name);
  const kill = async () => void (await current.stop("SIGKILL"));
  return {
    kind,
    dataDir,
    get url() {
      return current.url;
    },
    get pid() {
      return current.pid;
    },
    get log() {
      return current.log;
    },
    stderr: () => current.stderr(),
    ask: (...operation) => current.ask(...operation),
    query: (...operation) => current.query(...operation),
    stop: (name) => current.stop(name),
    remove: kill,
    kill,
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    restart: async (changed) => {
      await current.stop();
      current = await launch(changed);
    },
  };
}
