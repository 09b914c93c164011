import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curveWithHistory, datesOf, snapshotsOf, startTraining } from "../support/market-curves.js";
import { laborious } from "../support/onnx-models.js";
import { eventually, refusalOf, refusedStart, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph, rawRequest } from "../support/raw-http.js";
import { promote, uploadVersion } from "../support/registry.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

const CANARY = "canary-4f1c";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "254carbon-start-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Refusal {
  code: number | null;
  output: string;
}

function signal(): { promise: Promise<void>; onSent: () => void } {
  let onSent!: () => void;
  const promise = new Promise<void>((resolve) => (onSent = resolve));
  return { promise, onSent };
}

/** Refused with words, not with a stack. */
function expectExplained({ code, output }: Refusal): void {
  expect(output).not.toContain("platform.ready");
  expect(code).toBe(1);
  expect(output).not.toMatch(/^\s+at /m);
}

describe.each(["staging", "production"])("in %s", (environment) => {
  test("a secret and durable engines are demanded at once", async () => {
    const refused = await refusedStart(folder, { ML_ENV: environment });
    expectExplained(refused);
    expect(refused.output).toMatch(new RegExp(`ML_JWT_SECRET_KEY: .*${environment}.*at least 32 bytes`));
    expect(refused.output).toMatch(/ML_ALLOW_EMBEDDED: must be true.*ML_VECTOR_DB_DSN.*ML_REDIS_URL/);
  });

  test("a short secret is refused, and not shown", async () => {
    const refused = await refusedStart(folder, {
      ML_ENV: environment,
      ML_ALLOW_EMBEDDED: "true",
      ML_JWT_SECRET_KEY: CANARY,
    });
    expectExplained(refused);
    expect(refused.output).toContain("ML_JWT_SECRET_KEY: needs at least 32 bytes");
    expect(refused.output).not.toContain("ML_ALLOW_EMBEDDED");
    expect(refused.output).not.toContain(CANARY);
  });

  test.each([
    "change-me-please-change-me-please",
    "your-secret-key-for-this-platform-1",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "k8Jq2v!xk8Jq2v!xk8Jq2v!xk8Jq2v!xk8Jq",
    "correct horse correct horse correct horse",
    "abcdefghijklmnopqrstuvwxyz012345",
  ])("the secret %s is refused, and not shown", async (secret) => {
    const refused = await refusedStart(folder, {
      ML_ENV: environment,
      ML_ALLOW_EMBEDDED: "true",
      ML_JWT_SECRET_KEY: secret,
      ML_AUDIT_KEY: secret,
    });
    expectExplained(refused);
    expect(refused.output).toMatch(/ML_JWT_SECRET_KEY: .*openssl rand/);
    expect(refused.output).toMatch(/ML_AUDIT_KEY: .*openssl rand/);
    expect(refused.output).not.toContain(secret);
  });

  test("a provider's keys come by https, from one place, and a secret for API keys is demanded", async () => {
    const refused = await refusedStart(folder, {
      ML_ENV: environment,
      ML_ALLOW_EMBEDDED: "true",
      ML_JWT_JWKS_URL: `http://user:${CANARY}@id.example.com/keys`,
      ML_JWT_ALGORITHMS: "RS256,HS256",
    });
    expectExplained(refused);
    expect(refused.output).toMatch(/ML_JWT_JWKS_URL: must be https/);
    expect(refused.output).toMatch(/ML_JWT_JWKS_URL: must not hold a name or a password/);
    expect(refused.output).toMatch(/ML_JWT_ALGORITHMS: allowed: RS256, PS256/);
    expect(refused.output).toMatch(/ML_API_KEY_SECRET: required/);
    expect(refused.output).not.toContain(CANARY);
  });

  test.each([{}, { ML_ALLOW_EMBEDDED: "false" }, { ML_ALLOW_EMBEDDED: "" }])(
    "embedded engines are refused with %j",
    async (allow) => {
      const refused = await refusedStart(folder, {
        ML_ENV: environment,
        ML_JWT_SECRET_KEY: TEST_SECRET,
        ...(allow as Record<string, string>),
      });
      expectExplained(refused);
      expect(refused.output).toContain("ML_ALLOW_EMBEDDED");
      expect(refused.output).not.toContain("ML_JWT_SECRET_KEY");
      expect(refused.output).not.toContain(TEST_SECRET);
    },
  );
});

test("production starts where embedded engines are allowed, with every door closed that development opens", async () => {
  const platform = await startPlatform({
    environment: { ML_ENV: "production", ML_ALLOW_EMBEDDED: "true", ML_JWT_SECRET_KEY: TEST_SECRET },
  });
  try {
    expect(refusalOf(await platform.ask("{ me { subject } }"))).toBe("UNAUTHENTICATED");
    const admin = bearer(issueToken());
    expect((await platform.ask("{ me { subject } }", {}, admin)).errors).toBeUndefined();
    const { data, errors } = await platform.ask("{ __schema { types { name } } }", {}, admin);
    expect([data ?? null, errors?.[0]?.extensions.code]).toEqual([null, "INVALID_INPUT"]);
    expect((await rawRequest(`${platform.url}/graphiql`)).status).toBe(404);
    expect(
      (await rawRequest(`${platform.url}/graphql`, { headers: { accept: "text/html" } })).status,
    ).not.toBe(200);
    expect(await platform.stop()).toBe(0);
    expect(JSON.stringify(platform.log) + platform.stderr()).not.toContain(TEST_SECRET);
  } finally {
    await platform.remove();
  }
});

test("every mistake is reported at once, by name and with what is allowed", async () => {
  const refused = await refusedStart(folder, {
    ML_ENV: "production",
    ML_PORT: "70000",
    ML_LOG_LEVEL: "loud",
    ML_VECTOR_DB_DSN: `mysql://user:${CANARY}@localhost/ml`,
    ML_REDIS_URL: CANARY,
    ML_JWT_SECRET_KEY: CANARY,
    ML_TRAINING_CONCURRENCY: "many",
    ML_INFERENCE_WORKERS: "0",
    ML_MAX_BODY_BYTES: "1e4.5",
    ML_SAMPLES: "yes",
    ML_SILENCE_TIMEOUT_MS: "10000",
    ML_OPERATION_TIMEOUT_MS: "10000",
    ML_DATADIR: CANARY,
    ML_DEBUG: "1",
  });
  expectExplained(refused);
  const complaints = refused.output.split("\n").filter((line) => line.includes("ML_"));
  const names = complaints.map((line) => /ML_\w+/.exec(line)![0]);
  expect(names.sort()).toEqual([
    "ML_ALLOW_EMBEDDED",
    "ML_DATADIR",
    "ML_DEBUG",
    "ML_INFERENCE_WORKERS",
    "ML_JWT_SECRET_KEY",
    "ML_LOG_LEVEL",
    "ML_MAX_BODY_BYTES",
    "ML_PORT",
    "ML_REDIS_URL",
    "ML_SAMPLES",
    "ML_SILENCE_TIMEOUT_MS",
    "ML_TRAINING_CONCURRENCY",
    "ML_VECTOR_DB_DSN",
  ]);
  for (const rule of [
    "ML_PORT: allowed: a whole number from 0 to 65535",
    "ML_LOG_LEVEL: allowed: debug, info, warn, error, silent",
    "ML_VECTOR_DB_DSN: allowed: a URL that starts with postgres:// or postgresql://",
    "ML_TRAINING_CONCURRENCY: allowed: a whole number from 1 to 256",
    "ML_INFERENCE_WORKERS: allowed: a whole number from 1 to 256",
    "ML_SAMPLES: allowed: true, false",
    "ML_SILENCE_TIMEOUT_MS: must be longer than ML_OPERATION_TIMEOUT_MS, which is 10000",
    "ML_DATADIR: is not a variable of this platform",
  ]) {
    expect(refused.output).toContain(rule);
  }
  expect(refused.output).not.toContain(CANARY);
});

test("an environment that does not exist is refused with those that do", async () => {
  const refused = await refusedStart(folder, { ML_ENV: "prod" });
  expectExplained(refused);
  expect(refused.output).toContain("ML_ENV: allowed: development, test, staging, production");
});

test("an engine that does not answer is named without its password", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  const refused = await refusedStart(folder, {
    ML_VECTOR_DB_DSN: `postgres://user:${CANARY}@127.0.0.1:${port}/ml`,
    ML_START_TIMEOUT_MS: "500",
  });
  expectExplained(refused);
  expect(refused.output).toContain("ML_VECTOR_DB_DSN");
  expect(refused.output).not.toContain(CANARY);
});

test("a data folder that cannot be one is named", async () => {
  const file = join(folder, "a-file");
  await writeFile(file, "");
  const refused = await refusedStart(join(file, "data"), {});
  expectExplained(refused);
  expect(refused.output).toContain("ML_DATA_DIR");
});

describe("beside a platform that runs", () => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform();
  });

  afterAll(() => platform.remove());

  test("port 0 has taken a free one, and the log says which", () => {
    const port = Number(new URL(platform.url).port);
    expect(port).toBeGreaterThan(0);
    const { url, pid } = platform;
    expect(platform.log.find(({ event }) => event === "platform.ready")).toMatchObject({ port, url, pid });
  });

  test("its port is refused clearly", async () => {
    const { port } = new URL(platform.url);
    const refused = await refusedStart(join(folder, "other"), { ML_PORT: port });
    expectExplained(refused);
    expect(refused.output).toContain(`port ${port} of 127.0.0.1 is taken; ML_PORT=0 takes a free one`);
  });

  test("its data folder is refused clearly, until it has ended", async () => {
    const refused = await refusedStart(platform.dataDir, {});
    expectExplained(refused);
    expect(refused.output).toContain(`is in use by process ${platform.pid}`);
    expect(refused.output).toContain(platform.dataDir);
    expect((await platform.ask("{ me { subject } }")).errors).toBeUndefined();
    expect(await platform.stop()).toBe(0);
    platform = await startPlatform({ dataDir: platform.dataDir });
    expect(await platform.stop("SIGINT")).toBe(0);
  });
});

test("SIGTERM under load: requests under way are answered, then it ends with 0", async () => {
  const platform = await startPlatform();
  try {
    expect(await uploadVersion(platform, "laborious", laborious())).toMatchObject({ status: "READY" });
    await promote(platform, { model: "laborious", number: 1 });
    await curveWithHistory(platform, "yields", snapshotsOf(datesOf(1500)));
    const training = await startTraining(platform, {
      model: "busy",
      curve: "yields",
      type: "ENSEMBLE",
      refitEvery: 1,
    });
    expect(training.errors).toBeUndefined();
    await eventually(
      () => platform.query<{ jobs: { totalCount: number } }>(`{ jobs(state: ACTIVE) { totalCount } }`),
      ({ jobs }) => jobs.totalCount === 1,
    );
    const predict = (size: number): string =>
      `{ predict(input: { model: "laborious", inputs: [{ name: "shape", values: [${size}, ${size}] }] }) {
        outputs { values }
      } }`;
    const sent: Promise<void>[] = [];
    const underWay = Array.from({ length: 12 }, (_, i) => {
      const { promise, onSent } = signal();
      sent.push(promise);
      return rawGraph(platform, predict(700 + i), { onSent });
    });
    await Promise.all(sent);
    // Answered after the others have been taken in: connections are accepted in their order.
    expect((await rawRequest(`${platform.url}/health/ready`)).status).toBe(200);
    const ended = platform.stop();
    const drained = await eventually(
      () => rawRequest(`${platform.url}/health/ready`),
      ({ status }) => status !== 200,
    );
    expect(drained.status).toBe(503);
    expect((await rawRequest(`${platform.url}/health/live`)).status).toBe(200);
    expect((await rawRequest(`${platform.url}/health`)).body).toContain('"draining"');
    // While it drains it still serves whoever has not heard of it yet.
    expect((await platform.ask("{ me { subject } }")).errors).toBeUndefined();
    for (const answer of await Promise.all(underWay)) {
      expect(JSON.parse(answer.body)).toMatchObject({
        data: { predict: { outputs: [{ values: expect.any(Number) }] } },
      });
    }
    expect(await ended).toBe(0);
    expect(platform.log.filter(({ level }) => level === "error")).toEqual([]);
    await expect(rawRequest(`${platform.url}/health/live`)).rejects.toThrow("ECONNREFUSED");
  } finally {
    await platform.remove();
  }
});
