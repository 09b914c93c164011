import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";
import type { SiteUnderLoad } from "../under-load.js";
import type { Tier } from "../tier.js";

const LASTS_MS = 3_000;
/** An operation of each kind takes no longer than so many times as long as before, and so much. */
const MOST_TIMES = 2;
const SLACK_MS = 2_000;

/** The cache may go at any time: nothing waits for its return. */
async function worksWithout({ workload }: SiteUnderLoad, usualMs: number): Promise<string[]> {
  const tookMs = await workload.recoveredFrom(performance.now());
  if (tookMs <= MOST_TIMES * usualMs + SLACK_MS) return [];
  return [`without its cache the platform took ${Math.round(tookMs)} ms, with it ${Math.round(usualMs)}`];
}

function cacheFault(
  name: string,
  ci: boolean,
  breakIt: (tier: Tier) => Promise<unknown>,
  mend: (tier: Tier) => Promise<unknown>,
): Fault {
  return {
    ...{ name, engine: "cache", ci },
    run: (tier) =>
      underLoad(tier, {}, async (site) => {
        const usualMs = await site.workload.recoveredFrom(performance.now());
        await breakIt(tier);
        const violations = await worksWithout(site, usualMs).finally(() => mend(tier));
        return { at: performance.now(), violations };
      }),
  };
}

export const cacheFaults: Fault[] = [
  cacheFault(
    "cache's Redis gone",
    true,
    ({ cache }) => cache.kill(),
    ({ cache }) => cache.restart(),
  ),
  cacheFault(
    "cache's Redis full",
    false,
    async ({ cache }) => {
      await cache.ask("CONFIG", "SET", "maxmemory-policy", "noeviction");
      await cache.ask("CONFIG", "SET", "maxmemory", "1mb");
      await delay(LASTS_MS);
    },
    async ({ cache }) => {
      await cache.ask("CONFIG", "SET", "maxmemory", "0");
      await cache.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu");
    },
  ),
  cacheFault(
    "cache's Redis stalls",
    false,
    async ({ cache }) => cache.pause(),
    async ({ cache }) => cache.resume(),
  ),
];
