import pg from "pg";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { askUntilGone, TableLock } from "../support/table-lock.js";
import { until } from "../support/until.js";

const LIMIT_MS = 500;
const CURVES = "{ curves { totalCount } }";
const DEFINE = `mutation { defineCurve(input: { name: "late", kind: FORWARD, unit: "percent", tenors: ["P1Y","P5Y"] }) {
  curve { name } } }`;

/** A caller's end is noticed long before this one's limit, and statements of others are far from it. */
const PATIENCE_MS = 60_000;

let platform: Platform;
/** On the same database, with a limit that no test comes to. */
let patient: Platform;
let outside: pg.Client;
let lock: TableLock;

beforeAll(async () => {
  platform = await startPlatform({
    environment: { ML_OPERATION_TIMEOUT_MS: String(LIMIT_MS), ML_VECTOR_DB_POOL: "4" },
  });
  const place = await serviceEnvironment(platform.dataDir);
  const { ML_VECTOR_DB_DSN: dsn } = place;
  patient = await startPlatform({
    environment: {
      ...place,
      ML_OPERATION_TIMEOUT_MS: String(PATIENCE_MS),
      ML_SILENCE_TIMEOUT_MS: "90000",
      ML_VECTOR_DB_POOL: "4",
    },
  });
  outside = new pg.Client({ connectionString: dsn });
  await outside.connect();
  lock = new TableLock(outside, "curves");
});

afterAll(async () => {
  await outside.end();
  await patient.remove();
  await platform.remove();
});

test("a query that takes too long is TIMEOUT, and its statement ends with it", async () => {
  await lock.during(async () => {
    const began = performance.now();
    const { data, errors } = await platform.ask(CURVES);
    expect(performance.now() - began).toBeLessThan(LIMIT_MS + 2_000);
    expect(data ?? null).toBeNull();
    expect(errors).toMatchObject([{ extensions: { code: "TIMEOUT" } }]);
    expect(errors![0]!.message).toMatch(/took longer than 500 ms \(ML_OPERATION_TIMEOUT_MS\)/);
    await until(async () => (await lock.waiting()) === 0);
  });
  expect((await platform.ask(CURVES)).errors).toBeUndefined();
});

test("so does a query whose caller hangs up, and the pool is free for others", async () => {
  await lock.during(async () => {
    const gone = new AbortController();
    const asked = Array.from({ length: 4 }, () => askUntilGone(patient, CURVES, gone.signal));
    await until(async () => (await lock.waiting()) > 0);
    gone.abort();
    await Promise.all(asked);
    await until(async () => (await lock.waiting()) === 0, PATIENCE_MS / 2);
    expect((await patient.ask("{ models { totalCount } }")).errors).toBeUndefined();
  });
});

test("a mutation that takes too long is taken back, and says so", async () => {
  await lock.during(async () => {
    const { errors } = await platform.ask(DEFINE);
    expect(errors).toMatchObject([{ extensions: { code: "TIMEOUT" } }]);
    await until(async () => (await lock.waiting()) === 0);
  });
  const { curve } = await platform.query<{ curve: unknown }>(`{ curve(name: "late") { name } }`);
  expect(curve).toBeNull();
  expect((await platform.ask(DEFINE)).errors).toBeUndefined();
});

test("statements of others go on while some are ended", async () => {
  for (let round = 0; round < 5; round++) {
    const gone = new AbortController();
    const left = askUntilGone(patient, CURVES, gone.signal);
    const others = Array.from({ length: 20 }, () => patient.ask(CURVES));
    gone.abort();
    await left;
    for (const { errors } of await Promise.all(others)) expect(errors).toBeUndefined();
  }
});
