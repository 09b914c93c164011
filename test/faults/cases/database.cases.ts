import { rm } from "node:fs/promises";
import { startPostgres } from "../../support/postgres-server.js";
import type { PostgresServer } from "../../support/postgres-server.js";
import { startWalArchive } from "../../support/wal-archive.js";
import { startSwitchProxy } from "../switch-proxy.js";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";

const crashed: Fault = {
  ...{ name: "PostgreSQL stopped at once", engine: "database", ci: false },
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
          return { at, note: `promoted after ${seconds(at)} s` };
        },
      );
    } finally {
      await proxy.close();
      await standby.remove();
      await primary.remove();
    }
  },
};

/** The server and its data folder are gone; a base backup and the log since are elsewhere. */
const lost: Fault = {
  ...{ name: "database lost and restored from its log", engine: "database", ci: false },
  run: async (tier) => {
    const primary = await startPostgres({ durable: true });
    const archive = await startWalArchive(primary);
    const proxy = await startSwitchProxy(primary.port);
    let restored: PostgresServer | undefined;
    try {
      return await underLoad(
        { ...tier, postgres: primary },
        { servers: ({ dsn }) => ({ dsn: dsn.replace(`:${primary.port}/`, `:${proxy.port}/`) }) },
        async () => {
          await primary.kill();
          await rm(primary.dataDir, { recursive: true });
          const at = performance.now();
          restored = (await archive.restore()).server;
          proxy.switchTo(restored.port);
          return { at, note: `restored in ${seconds(at)} s, RPO 0` };
        },
      );
    } finally {
      await proxy.close();
      await restored?.remove();
      await archive.remove();
      await primary.remove();
    }
  },
};

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

export const databaseFaults: Fault[] = [crashed, failover, lost];
