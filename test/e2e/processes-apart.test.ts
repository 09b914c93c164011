import { refusedStart } from "../support/platform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const CANARY = "canary-8d20";
const SERVERS = {
  ML_VECTOR_DB_DSN: `postgres://user:${CANARY}@127.0.0.1:1/ml`,
  ML_REDIS_URL: `redis://:${CANARY}@127.0.0.1:1`,
  ML_S3_ENDPOINT: "http://127.0.0.1:1",
  ML_S3_BUCKET: "artifacts",
};

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterAll(() => folder.remove());

describe.each(["gateway", "worker"])("a %s", (kind) => {
  test.each(["ML_VECTOR_DB_DSN", "ML_REDIS_URL", "ML_S3_BUCKET"] as const)(
    "does not start without %s",
    async (missing) => {
      const cleared = missing === "ML_S3_BUCKET" ? { ML_S3_ENDPOINT: "" } : {};
      const environment = { ...SERVERS, ...cleared, [missing]: "" };
      const { code, output } = await refusedStart(folder.path, environment, [kind]);
      expect(code).toBe(1);
      expect(output.match(/ML_\w+/g)).toEqual([missing]);
      expect(output).not.toContain(CANARY);
    },
  );

  test("names all that is missing at once", async () => {
    const { code, output } = await refusedStart(folder.path, {}, [kind]);
    expect(code).toBe(1);
    expect(output.match(/ML_\w+/g)).toEqual(["ML_VECTOR_DB_DSN", "ML_REDIS_URL", "ML_S3_BUCKET"]);
  });
});

test("a worker is refused a queue that there is not, with those that there are", async () => {
  const { code, output } = await refusedStart(folder.path, SERVERS, ["worker", "--queues", "mining"]);
  expect(code).toBe(1);
  expect(output).toContain('no queue "mining"; there are: ');
  expect(output).toMatch(/there are: .*embedding/);
  expect(output).toMatch(/there are: .*training/);
});
