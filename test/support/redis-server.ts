import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { temporaryFolder } from "./temporary-folder.js";

export interface RedisServer {
  port: number;
  stop(): Promise<void>;
}

/** Whether this machine has a Redis to start. */
export const redisIsInstalled = spawnSync("redis-server", ["--version"]).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A Redis of our own with the policy that queues need, in memory only. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const options = [
    "--port",
    `${port}`,
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
  ];
  const server = spawn("redis-server", [...options, "--dir", folder.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(server, "exit");
  for await (const line of createInterface(server.stdout)) {
    if (line.includes("Ready to accept connections")) break;
  }
  server.stdout.resume();
  return {
    port,
    stop: async () => {
      server.kill();
      await exited;
      await folder.remove();
    },
  };
}
