import { readdirSync } from "node:fs";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";

const LASTS_MS = 4_000;

/** Where Debian's package `faketime` puts it. */
function findLibrary(): string {
  const found = readdirSync("/usr/lib")
    .map((folder) => `/usr/lib/${folder}/faketime/libfaketime.so.1`)
    .find((path) => existsSync(path));
  if (!found) throw new Error("libfaketime is not installed: Debian's package is `faketime`");
  return found;
}

/** A process whose clock is off by so much; what measures durations goes on as it is. */
function clockOff(by: "+10m" | "-10m"): Record<string, string> {
  return { LD_PRELOAD: findLibrary(), FAKETIME: by, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

export const clockFaults: Fault[] = (["+10m", "-10m"] as const).map((by) => ({
  ...{ name: `clocks ${by} off`, engine: "clock", ci: by === "+10m" },
  run: (tier) =>
    underLoad(tier, { gateways: 1, workers: 1 }, async ({ cluster }) => {
      await cluster.addGateway(clockOff(by));
      await cluster.addWorker([], clockOff(by));
      await delay(LASTS_MS);
      // The work of the others is now all theirs, beside one gateway that is right.
      await cluster.workers[0]!.kill();
      await delay(LASTS_MS);
      return { at: performance.now(), note: `one gateway and one worker ${by}` };
    }),
}));
