import { loadConfig } from "../../src/config/config.js";
import { isCronPattern } from "../../src/config/cron-pattern.rules.js";

test.each(["* * * * *", "0 2 * * *", "*/15 0-6,22 1,15 JAN-mar MON-FRI", "5/10 0 31 12 7", "0 0 * * sun"])(
  "takes %s",
  (pattern) => {
    expect(isCronPattern(pattern)).toBe(true);
  },
);

test.each([
  ...["61 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "*/0 * * * *", "5-1 * * * *"],
  ...["0 2 * *", "0 2 * * * *", "daily", "a b c d e", "1,, * * * *", "-1 * * * *", "* * FEB * *", ""],
])("refuses %s", (pattern) => {
  expect(isCronPattern(pattern)).toBe(false);
});

test("a schedule that never comes is a mistake of its variable", () => {
  expect(() => loadConfig({ ML_BACKUP_CRON: "61 * * * *" })).toThrow(
    /ML_BACKUP_CRON: allowed: a cron pattern/,
  );
  expect(loadConfig({ ML_BACKUP_CRON: "off" }).schedules.backup).toBe("off");
});

test("a mirror that is the store itself is a mistake", () => {
  const store = { ML_S3_ENDPOINT: "http://127.0.0.1:9000", ML_S3_BUCKET: "models" };
  expect(() => loadConfig({ ...store, ML_MIRROR_BUCKET: "models" })).toThrow(/ML_MIRROR_BUCKET: must not be/);
  expect(loadConfig({ ...store, ML_MIRROR_BUCKET: "copies" }).mirror).toEqual({ bucket: "copies" });
});
