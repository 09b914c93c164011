import { loadConfig } from "../../src/config/config.js";
import { jobSchedules } from "../../workers/job-schedules.js";

const SERVERS = {
  ML_VECTOR_DB_DSN: "postgresql://ml@127.0.0.1/ml",
  ML_S3_ENDPOINT: "http://127.0.0.1:9000",
  ML_S3_BUCKET: "models",
};

const plansOf = (environment: Record<string, string>) =>
  jobSchedules(loadConfig({ ...SERVERS, ...environment })).map((plan) => plan.map(({ name }) => name));

// Workers tick together by the names of a plan: with others, a backup would be started once for each configuration.
test("a worker that does more by the clock than others shares every plan of theirs", () => {
  const [common, ...few] = plansOf({ ML_BACKUP_CRON: "0 2 * * *", ML_VACUUM_CRON: "off" });
  const all = plansOf({
    ...{ ML_BACKUP_CRON: "0 2 * * *", ML_VACUUM_CRON: "0 4 * * *", ML_MIRROR_BUCKET: "copies" },
    ML_RESTORE_TEST_DSN: "postgresql://restore_test@127.0.0.1/restore_test",
  });
  expect(common!.length).toBeGreaterThan(5);
  expect(few).toContainEqual(["start-backup"]);
  expect(all).toEqual(expect.arrayContaining([common, ...few]));
  expect(all).toEqual(expect.arrayContaining([["start-vacuum"], ["start-mirror"], ["test-restore"]]));
  expect(few.flat()).not.toEqual(expect.arrayContaining(["start-vacuum"]));
});

test("no two schedules have one name", () => {
  const names = plansOf({}).flat();
  expect(new Set(names).size).toBe(names.length);
});
