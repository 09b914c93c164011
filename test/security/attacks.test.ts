import { setTimeout as delay } from "node:timers/promises";
import { createCollection, endedJob, ingest } from "../support/documents.js";
import { metric } from "../support/metrics.js";
import { linearModel } from "../support/onnx-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";
import { artifactAttacks } from "./attacks/artifact.attacks.js";
import type { Attack, Site } from "./attacks/attack.js";
import { bodyAttacks } from "./attacks/body.attacks.js";
import { documentAttacks } from "./attacks/document.attacks.js";
import { identityAttacks } from "./attacks/identity.attacks.js";
import { injectionAttacks } from "./attacks/injection.attacks.js";
import { socketAttacks } from "./attacks/socket.attacks.js";

const GROUPS: Record<string, readonly Attack[]> = {
  documents: documentAttacks,
  bodies: bodyAttacks,
  identities: identityAttacks,
  injections: injectionAttacks,
  artifacts: artifactAttacks,
  sockets: socketAttacks,
};

/** Resident memory that an attack may cost for a while. */
const MOST_GROWTH_BYTES = 600 * 1024 * 1024;
/** For a machine that is busy with the attackers, too, whose work is on the same cores. */
const LATEST_MS = 2_000;

const honest = { ...bearer(issueToken({ sub: "honest" })), "x-forwarded-for": "198.51.100.1" };
let platform: Platform;
let site: Site;

beforeAll(async () => {
  platform = await startPlatform({
    environment: {
      ML_ENV: "production",
      ML_ALLOW_EMBEDDED: "true",
      ML_JWT_SECRET_KEY: TEST_SECRET,
      ML_TRUSTED_PROXIES: "127.0.0.0/8",
      ML_DRAIN_NOTICE_MS: "0",
      ML_OPERATION_TIMEOUT_MS: "10000",
      ML_VALIDATION_TIMEOUT_MS: "20000",
      ML_VALIDATION_MEMORY_BYTES: String(512 * 1024 * 1024),
    },
    headers: honest,
  });
  await uploadVersion(platform, "linear", linearModel());
  await promote(platform, { model: "linear", number: 1 });
  await createCollection(platform, { name: "notes" });
  const { job } = await ingest(platform, "notes", [{ key: "a", text: "Gas and power." }]);
  await endedJob(platform, job.id);
  const { createApiKey } = await platform.query<{ createApiKey: { key: { id: string } } }>(
    'mutation { createApiKey(input: { name: "secret", roles: [VIEWER] }) { key { id } } }',
  );
  const { audit } = await platform.query<{ audit: { edges: [{ node: { id: string } }] } }>(
    "{ audit(first: 1) { edges { node { id } } } }",
  );
  site = {
    platform,
    secretIds: { ApiKey: createApiKey.key.id, AuditEntry: audit.edges[0].node.id },
    model: "linear",
    collection: "notes",
  };
});

afterAll(() => platform.remove());

describe.each(Object.entries(GROUPS))("%s", (_group, attacks) => {
  const quick = attacks.filter(({ slow }) => !slow);
  test.each(quick.map((attack) => [attack.name, attack] as const))("%s", (_name, attack) => attack.run(site));
});

test("an honest client is served all the while, and memory stays bounded", async () => {
  const alone = await latencies(delay(3_000));
  const before = await metric(platform, "process_resident_memory_bytes");
  // Everything at once, again and again.
  const storm = Promise.all(
    Object.values(GROUPS).map(async (attacks) => {
      for (const attack of attacks) await attack.run(site);
    }),
  );
  const beside = await latencies(storm);
  await storm;
  const growth = (await metric(platform, "process_resident_memory_bytes")) - before;
  const report = [
    `an honest client alone:           p50 ${at(alone, 0.5)} ms, p95 ${at(alone, 0.95)} ms (${alone.length} calls)`,
    `an honest client in the storm:    p50 ${at(beside, 0.5)} ms, p95 ${at(beside, 0.95)} ms (${beside.length} calls)`,
    `p95 in the storm over p95 alone:  ${(Number(at(beside, 0.95)) / Number(at(alone, 0.95))).toFixed(1)}`,
    `memory in the storm:              ${Math.round(growth / 1024 / 1024)} MB more than before`,
  ];
  process.stdout.write(`\n${report.join("\n")}\n`);
  expect(growth).toBeLessThan(MOST_GROWTH_BYTES);
  expect(Number(at(beside, 0.95))).toBeLessThan(LATEST_MS);
});

/** Milliseconds of one call after the other, a few of them a second, until that is over. */
async function latencies(over: Promise<unknown>): Promise<number[]> {
  const measured: number[] = [];
  let ended = false;
  void over.catch(() => undefined).finally(() => (ended = true));
  while (!ended) {
    const began = performance.now();
    await platform.query(
      '{ predict(input: { model: "linear", inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { id } }',
    );
    measured.push(performance.now() - began);
    await delay(20);
  }
  return measured;
}

function at(values: readonly number[], quantile: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))]!.toFixed(1);
}
