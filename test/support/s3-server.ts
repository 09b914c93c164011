import { join } from "node:path";
import { cachedFolder } from "./cache-folder.js";
import { onFreePort } from "./free-port.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";

/** A stand-in for S3 that keeps objects in memory and takes any credentials. */
export interface S3Server {
  port: number;
  endpoint: string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Stops and continues it, to let it stall. */
  signal(signal: NodeJS.Signals): void;
  /** Starts again on the same port, empty. */
  restart(): Promise<void>;
}

const MOTO = "5.2.1";

/** The command that starts it: what is installed, or else of a virtual environment in the user's cache. */
async function findMoto(): Promise<[string, ...string[]]> {
  const installed = await runProgram("moto_server", ["--help"]).then(
    () => true,
    () => false,
  );
  if (installed) return ["moto_server"];
  const folder = await cachedFolder(`moto-${MOTO}`, async (draft) => {
    try {
      await runProgram("python3", ["-m", "venv", draft]);
      await runProgram(join(draft, "bin/python"), [
        "-m",
        "pip",
        "install",
        "--quiet",
        `moto[server]==${MOTO}`,
      ]);
    } catch (error) {
      const reason = (error as Error).message.trim();
      throw new Error(
        `moto, a stand-in for S3, could not be installed (${reason}); install Python 3 with venv and pip`,
        {
          cause: error,
        },
      );
    }
  });
  return [join(folder, "bin/python"), "-m", "moto.server"];
}

export async function startS3(): Promise<S3Server> {
  const command = await findMoto();
  return onFreePort((port) => startOn(port, command));
}

async function startOn(port: number, [program, ...args]: [string, ...string[]]): Promise<S3Server> {
  const endpoint = `http://127.0.0.1:${port}`;
  const launch = () =>
    startServerProcess(program, [...args, "-H", "127.0.0.1", "-p", String(port)], {
      answers: () => fetch(endpoint, { signal: AbortSignal.timeout(5_000) }),
    });
  let server = await launch();
  return {
    port,
    endpoint,
    stop: () => server.end("SIGTERM"),
    kill: () => server.kill(),
    signal: (signal) => server.signal(signal),
    restart: async () => {
      server = await launch();
    },
  };
}
