import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-port.js";
import { startRedis } from "./redis-server.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";
import { temporaryFolder } from "./temporary-folder.js";
import { until } from "./until.js";

export interface RedisGroup {
  url: string;
  stop(): Promise<void>;
}

export interface SentinelGroup extends RedisGroup {
  /** Waits until the replica has all that the master has. */
  replicated(): Promise<void>;
  killMaster(): Promise<void>;
}

const MASTER = "jobs";
const DOWN_AFTER_MS = 1_000;

/** A master, a replica and one Sentinel that makes the replica master soon after the master has gone. */
export async function startSentinel(): Promise<SentinelGroup> {
  const master = await startRedis();
  const replica = await startRedis({ settings: ["--replicaof", "127.0.0.1", String(master.port)] });
  const folder = await temporaryFolder();
  const port = await freePort();
  const file = join(folder.path, "sentinel.conf");
  // Sentinel writes into its file what it learns.
  await writeFile(
    file,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder.path}`,
      `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER} 5000`,
    ].join("\n"),
  );
  const ask = (...command: string[]) => runProgram("redis-cli", ["-e", "-p", String(port), ...command]);
  const sentinel = await startServerProcess("redis-server", [file, "--sentinel"], {
    folder: folder.path,
    answers: () => ask("PING"),
  });
  const knowsReplica = async () => (await ask("SENTINEL", "REPLICAS", MASTER)).includes(`${replica.port}`);
  await until(knowsReplica, 30_000);
  return {
    url: `redis-sentinel://127.0.0.1:${port}/${MASTER}`,
    replicated: () =>
      until(async () => {
        const state = await master.ask("INFO", "replication");
        const written = /^master_repl_offset:(\d+)/m.exec(state)?.[1];
        return state.includes(`offset=${written},`);
      }),
    killMaster: () => master.kill(),
    stop: async () => {
      await sentinel.end("SIGKILL");
      await Promise.all([master.stop(), replica.stop(), folder.remove()]);
    },
  };
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisGroup> {
  const nodes = await Promise.all(
    [1, 2, 3].map(async () =>
      startRedis({
        settings: ["--cluster-enabled", "yes", "--cluster-port", String(await freePort())],
      }),
    ),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await runProgram("redis-cli", ["--cluster", "create", ...addresses, "--cluster-yes"]);
  const whole = async ({ ask }: (typeof nodes)[number]) =>
    (await ask("CLUSTER", "INFO")).includes("cluster_state:ok");
  for (const node of nodes) await until(() => whole(node), 30_000);
  return {
    url: `redis-cluster://${addresses.join(",")}`,
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}
