import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const ENTRY = join(import.meta.dirname, "plain-endpoint.process.js");

/** A server with nothing but a route, in a process of its own. */
export interface PlainEndpoint {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** @param kind a Fastify route that takes and gives JSON, or Apollo Server with one plain resolver */
export async function startPlainEndpoint(kind: "json" | "apollo", modelPath: string): Promise<PlainEndpoint> {
  const child = spawn(process.execPath, [ENTRY, kind, modelPath], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const started = once(child.stdout, "data") as Promise<[Buffer]>;
  const first = await Promise.race([started, exited]);
  if (!(first[0] instanceof Buffer)) throw new Error(`the plain ${kind} endpoint did not start`);
  return {
    url: first[0].toString().trim(),
    pid: child.pid!,
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}
