import { startPostgres } from "../../support/postgres-server.js";
import { startSwitchProxy } from "../switch-proxy.js";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";

const crashed: Fault = {
  ...{ name: "PostgreSQL stopped at once", engine: "database", ci: true },
  run: (tier) =>
    underLoad(tier, {}, async () => {
      await tier.postgres.stop("immediate");
      await tier.postgres.restart();
      return { at: performance.now() };
    }),
};

/** A commit is acknowledged when both servers have it, so the one that is left has everything. */
const failover: Fault = {
  ...{ name: "failover to a synchronous standby", engine: "database", ci: true },
  run: async (tier) => {
    const primary = await startPostgres({ durable: true });
    const standby = await primary.startStandby({ synchronous: true });
    const proxy = await startSwitchProxy(primary.port);
    try {
      return await underLoad(
        { ...tier, postgres: primary },
        { servers: ({ dsn }) => ({ dsn: dsn.replace(`:${primary.port}/`, `:${proxy.port}/`) }) },
        async () => {
          await primary.kill();
          const at = performance.now();
          await standby.promote();
          proxy.switchTo(standby.port);
          return { at, note: `promoted after ${Math.round(performance.now() - at)} ms` };
        },
      );
    } finally {
      await proxy.close();
      await standby.remove();
      await primary.remove();
    }
  },
};

export const databaseFaults: Fault[] = [crashed, failover];
