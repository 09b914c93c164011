import { defineJob } from "../operations/index.js";

const QUEUE = "maintenance";

export const backupJob = defineJob({ name: "backup", queue: QUEUE, attempts: 3, parse: () => ({}) });

export const mirrorArtifactsJob = defineJob({
  name: "mirror-artifacts",
  queue: QUEUE,
  attempts: 3,
  parse: ({ verify }) => ({ verify: verify === true }),
});

export const cleanupJob = defineJob({
  name: "cleanup",
  queue: QUEUE,
  attempts: 3,
  parse: ({ days, dryRun }) => ({ days: Number(days), dryRun: dryRun !== false }),
});

export const testRestoreJob = defineJob({
  name: "test-restore",
  queue: QUEUE,
  attempts: 2,
  parse: ({ backup }) => ({ backup: typeof backup === "string" ? backup : null }),
});

export const vacuumDatabaseJob = defineJob({
  name: "vacuum-database",
  queue: QUEUE,
  attempts: 3,
  parse: () => ({}),
});

/** All of them, by name. */
export const upkeepDefinitions = {
  backup: backupJob,
  "mirror-artifacts": mirrorArtifactsJob,
  cleanup: cleanupJob,
  "vacuum-database": vacuumDatabaseJob,
  "test-restore": testRestoreJob,
};
