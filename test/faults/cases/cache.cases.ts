import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";
import type { SiteUnderLoad } from "../under-load.js";
import type { Tier } from "../tier.js";

const LASTS_MS = 3_000;

/** The cache may go at any time: nothing waits for its return. */
async function worksWithout({ workload }: SiteUnderLoad): Promise<string[]> {
  const gone = performance.now();
  const worked = await workload.recoveredFrom(gone);
  return worked > LASTS_MS ? [`without its cache the platform took ${Math.round(worked)} ms`] : [];
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
        await breakIt(tier);
        const violations = await worksWithout(site).finally(() => mend(tier));
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
