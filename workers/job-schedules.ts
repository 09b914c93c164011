import type { App } from "../src/app.js";

interface Schedule {
  name: string;
  when: { cron: string } | { everyMs: number };
  tick: (app: App) => Promise<unknown>;
}

const HOUR_MS = 3_600_000;

/** What runs by the clock, on whichever worker is free. */
export const jobSchedules = ({ jobLeaseMs }: App["config"]): Schedule[] => [
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
  { name: "trim-segments", when: { everyMs: HOUR_MS }, tick: ({ training }) => training.segments.trim() },
  {
    name: "sweep-search-indexes",
    when: { everyMs: 30_000 },
    tick: ({ search }) => search.discardedIndexes.sweep(),
  },
  { name: "index-vectors", when: { everyMs: 30_000 }, tick: ({ search }) => search.indexGrowth.startDue() },
  { name: "maintain-database", when: { everyMs: 6 * HOUR_MS }, tick: ({ database }) => database.maintain() },
];
