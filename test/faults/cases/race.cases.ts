import { offsetModel } from "../offset-model.js";
import { eventually } from "../../support/platform.js";
import { promote, transitionsOf, uploadVersion } from "../../support/registry.js";
import { bearer } from "../../support/tokens.js";
import { EventReader } from "../event-reader.js";
import type { Fault, FaultOutcome } from "../fault.js";
import type { GraphClient } from "../graph-client.js";
import { onSite } from "../site.js";
import type { Site } from "../site.js";
import { toPlatform } from "../to-platform.js";

const RACERS = 50;
const STEPS = 6;
const VERSIONS = 3;
const MODEL = "raced";

/** Fifty clients of two gateways, each of which believes it knows what is in production. */
const promotions: Fault = {
  ...{ name: "50 racing promotions", engine: "gateway", ci: true },
  run: (tier) => onSite(tier, {}, raceForProduction),
};

async function raceForProduction(site: Site): Promise<FaultOutcome> {
  const gateways = site.gateways();
  const platform = toPlatform(gateways[0]!);
  for (let offset = 1; offset <= VERSIONS; offset++) {
    await uploadVersion(platform, MODEL, offsetModel(offset));
  }
  const reader = new EventReader(site.gateways, MODEL, 1, bearer(site.cluster.token));
  const won: string[] = [];
  const violations: string[] = [];
  let current = 0;
  for (let step = 0; step < STEPS; step++) {
    const { winners, others } = await race(gateways, current);
    if (winners.length !== 1) violations.push(`step ${step} has ${winners.length} winners`);
    violations.push(
      ...others.filter((code) => code !== "CONFLICT").map((code) => `a loser was told ${code}`),
    );
    won.push(...winners.map(({ id }) => id));
    current = winners[0]?.version.number ?? current;
  }
  const history = await transitionsOf(platform, MODEL);
  for (const [i, { retired }] of history.entries()) {
    const before = history[i - 1]?.version.number;
    if (retired?.number !== before)
      violations.push(`transition ${i} retired ${retired?.number}, not ${before}`);
  }
  for (const gateway of gateways)
    await eventually(
      () => servedBy(gateway),
      (number) => number === current,
      5_000,
    );
  const told = history.map(({ id }) => id);
  await reader.until(told.length, 10_000);
  await reader.stop();
  if (JSON.stringify(reader.seen) !== JSON.stringify(told))
    violations.push("events are not in the history's order");
  return {
    acknowledged: won.length,
    losses: won.filter((id) => !told.includes(id)).map((id) => `lost: promotion ${id}`),
    violations,
    note: `${STEPS} steps of ${RACERS}`,
  };
}

/** Everybody promotes another version than the current one at once. */
async function race(gateways: readonly GraphClient[], expectedCurrent: number) {
  const answers = await Promise.all(
    Array.from({ length: RACERS }, (_, i) => {
      const others = [1, 2, 3].filter((number) => number !== expectedCurrent);
      const number = others[i % others.length]!;
      return promote(toPlatform(gateways[i % gateways.length]!), { model: MODEL, number, expectedCurrent });
    }),
  );
  return {
    winners: answers.flatMap(({ data }) => data?.promoteModelVersion?.transition ?? []),
    others: answers.flatMap(({ errors = [] }) => errors.map(({ extensions }) => extensions.code)),
  };
}

async function servedBy(gateway: GraphClient): Promise<number> {
  const { predict } = await gateway.query<{ predict: { version: { number: number } } }>(
    `{ predict(input: { model: "${MODEL}", inputs: [{ name: "x", values: [[1]] }] }) { version { number } } }`,
  );
  return predict.version.number;
}

const KEYS = 10;
const CALLERS = 10;
const COLLECTION = "keyed";

interface Ingested {
  ingestDocuments: { created: number; job: { id: string } | null };
}

/** One key over two gateways at once: equal requests are one, another request under the key is refused. */
const keys: Fault = {
  ...{ name: "one idempotency key at two gateways", engine: "gateway", ci: false },
  run: (tier) => onSite(tier, {}, raceForKeys),
};

async function raceForKeys(site: Site): Promise<FaultOutcome> {
  const gateways = site.gateways();
  await gateways[0]!.query(
    `mutation Create($input: CreateCollectionInput!) { createCollection(input: $input) { collection { id } } }`,
    { input: { name: COLLECTION } },
  );
  const ask = (caller: number, idempotencyKey: string, text: string) =>
    gateways[caller % gateways.length]!.ask<Ingested>(
      `mutation Ingest($input: IngestDocumentsInput!) { ingestDocuments(input: $input) { created job { id } } }`,
      {
        input: {
          collection: COLLECTION,
          documents: [{ key: `${idempotencyKey}-${text}`, text }],
          idempotencyKey,
        },
      },
    );
  const losses: string[] = [];
  const violations: string[] = [];
  let acknowledged = 0;
  for (let key = 0; key < KEYS; key++) {
    const equal = await Promise.all(
      Array.from({ length: CALLERS }, (_, caller) => ask(caller, `equal-${key}`, "the same")),
    );
    const answers = new Set(equal.map(({ data }) => JSON.stringify(data?.ingestDocuments)));
    if (answers.size !== 1) violations.push(`equal requests had ${answers.size} different answers`);
    const different = await Promise.all(
      Array.from({ length: CALLERS }, (_, caller) => ask(caller, `different-${key}`, `text ${caller}`)),
    );
    const won = different.filter(({ data }) => data?.ingestDocuments).length;
    if (won !== 1) violations.push(`${won} different requests under one key were taken`);
    const codes = different.flatMap(({ errors = [] }) => errors.map(({ extensions }) => extensions.code));
    violations.push(...codes.filter((code) => code !== "CONFLICT").map((code) => `refused as ${code}`));
    acknowledged += equal.filter(({ data }) => data?.ingestDocuments).length + won;
  }
  const { collection } = await gateways[0]!.query<{ collection: { documents: { totalCount: number } } }>(
    `{ collection(name: "${COLLECTION}") { documents { totalCount } } }`,
  );
  const { totalCount } = collection.documents;
  if (totalCount !== 2 * KEYS) losses.push(`${totalCount} documents of ${2 * KEYS} keys`);
  return { acknowledged, losses, violations, note: `${2 * KEYS} keys of ${CALLERS} callers each` };
}

export const raceFaults: Fault[] = [promotions, keys];
