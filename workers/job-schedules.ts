import type { App } from "../src/app.js";

interface Schedule {
  name: string;
  when: { cron: string } | { everyMs: number };
  tick: (app: App) => Promise<unknown>;
}

/** What runs by the clock, on whichever worker is free. */
export const jobSchedules: Schedule[] = [
  { name: "sweep-jobs", when: { everyMs: 30_000 }, tick: ({ operations }) => operations.jobs.sweep() },
  { name: "maintain-database", when: { cron: "15 3 * * *" }, tick: ({ database }) => database.maintain() },
];
