import { randomUUID } from "node:crypto";
import type { App } from "../src/app.js";
import type { JobDefinition } from "../src/modules/operations/index.js";
import { upkeepDefinitions } from "../src/modules/upkeep/index.js";
import type { Schedule } from "../src/ports/job-queue.js";

interface AppSchedule extends Pick<Schedule, "name" | "when"> {
  tick: (app: App) => Promise<unknown>;
}

const HOUR_MS = 3_600_000;

/** What runs by the clock, on whichever worker is free. */
const always = ({ jobLeaseMs, retention }: App["config"]): AppSchedule[] => [
  {
    name: "sweep-jobs",
    when: { everyMs: 1.5 * jobLeaseMs },
    tick: ({ operations }) => operations.jobs.sweep(),
  },
  {
    name: "maintain-partitions",
    when: { everyMs: HOUR_MS },
    tick: ({ partitions }) => partitions.maintain(),
  },
  { name: "trim-history", when: { everyMs: HOUR_MS }, tick: ({ operations }) => operations.retention.trim() },
  {
    name: "trim-audit-heads",
    when: { everyMs: HOUR_MS },
    tick: ({ audit }) => audit.heads.trim(retention.auditDays),
  },
  { name: "trim-segments", when: { everyMs: HOUR_MS }, tick: ({ training }) => training.segments.trim() },
  {
    name: "sweep-search-indexes",
    when: { everyMs: 30_000 },
    tick: ({ search }) => search.discardedIndexes.sweep(),
  },
  {
    name: "recover-search-indexes",
    when: { everyMs: 30_000 },
    tick: ({ search }) => search.indexRecovery.startMissing(),
  },
  {
    name: "warn-of-ending-keys",
    when: { cron: "0 6 * * *" },
    tick: ({ apiKeys }) => apiKeys.apiKeys.warnOfExpiry(),
  },
  { name: "index-vectors", when: { everyMs: 30_000 }, tick: ({ search }) => search.indexGrowth.startDue() },
];

/** No server of its own vacuums the embedded database. */
const embedded: AppSchedule[] = [
  { name: "maintain-database", when: { everyMs: 6 * HOUR_MS }, tick: ({ database }) => database.maintain() },
];

/**
 * Plans that are the same wherever they are known: workers tick together by a plan's names. What may be configured for
 * some workers only is a plan of its own, so that nothing ticks once for each configuration.
 */
export function jobSchedules(config: App["config"]): AppSchedule[][] {
  const { database, mirror, schedules, retention } = config;
  const testable = database.dsn === undefined || config.restoreTestDsn !== undefined;
  const upkeep = [
    {
      ...{ name: "start-backup", cron: schedules.backup },
      tick: byTheClock("startBackup", upkeepDefinitions.backup, {}),
    },
    {
      ...{ name: "start-mirror", cron: mirror === undefined ? "off" : schedules.mirror },
      tick: byTheClock("startMirror", upkeepDefinitions["mirror-artifacts"], { verify: false }),
    },
    {
      ...{ name: "start-cleanup", cron: schedules.cleanup },
      tick: byTheClock("startCleanup", upkeepDefinitions.cleanup, {
        days: retention.cleanupDays,
        dryRun: false,
      }),
    },
    {
      ...{ name: "start-vacuum", cron: schedules.vacuum },
      tick: byTheClock("startVacuum", upkeepDefinitions["vacuum-database"], {}),
    },
    {
      ...{ name: "test-restore", cron: testable ? schedules.restoreTest : "off" },
      tick: byTheClock("startRestoreTest", upkeepDefinitions["test-restore"], { backup: null }),
    },
  ];
  return [
    [...always(config), ...(database.dsn === undefined ? embedded : [])],
    ...upkeep
      .filter(({ cron }) => cron !== "off")
      .map(({ name, cron, tick }) => [{ name, when: { cron }, tick }]),
  ];
}

/** With the entry in the audit log that the mutation would have. */
function byTheClock<P extends Record<string, unknown>>(mutation: string, job: JobDefinition<P>, payload: P) {
  return ({ audit, upkeep }: App): Promise<void> => {
    const clock = { actor: "schedule", requestId: randomUUID() };
    return audit.trail.mutation(clock, mutation, payload, () =>
      upkeep.upkeepJobs.startScheduled(job, payload),
    );
  };
}
