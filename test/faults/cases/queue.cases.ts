import { eventually } from "../../support/platform.js";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";

const killed: Fault = {
  ...{ name: "queue's Redis killed", engine: "queue", ci: false },
  run: (tier) =>
    underLoad(tier, {}, async () => {
      await tier.queue.kill();
      await tier.queue.restart();
      return { at: performance.now() };
    }),
};

/** What the platform still has to do by the clock, as BullMQ keeps it. */
const SCHEDULES = "*schedules-*:repeat";

const flushed: Fault = {
  ...{ name: "queue's Redis emptied", engine: "queue", ci: true },
  run: (tier) =>
    underLoad(tier, {}, async ({ workload }) => {
      const schedules = async () => {
        const plans = (await tier.queue.ask("KEYS", SCHEDULES)).trim().split("\n").filter(Boolean);
        const counts = await Promise.all(plans.map((plan) => tier.queue.ask("ZCARD", plan)));
        return counts.reduce((sum, count) => sum + Number(count), 0);
      };
      const before = await schedules();
      if (before === 0) throw new Error("there is no schedule in the queue's Redis to lose");
      await tier.queue.ask("FLUSHALL");
      const at = performance.now();
      await workload.recoveredFrom(at);
      await eventually(schedules, (now) => now === before, 30_000);
      return { at, note: `${before} schedules came back` };
    }),
};

export const queueFaults: Fault[] = [killed, flushed];
