import { text } from "node:stream/consumers";
import { execFile } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { openAuditChain, withAuditChain } from "../support/audit-chain.js";
import type { AuditChain } from "../support/audit-chain.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

const ROUNDS = 4;
const ENVIRONMENT = { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET, ML_AUDIT_HEAD_SECONDS: "1" };
const admin = bearer(issueToken({ sub: "ann" }));

interface Verified {
  ok: boolean;
  entries: number;
  seals: number;
  heads: number;
  findings: { kind: string; where: string; message: string }[];
  limits: string[];
}

let platform: Platform;

const verified = (on: Platform): Promise<Verified> =>
  on
    .query<{ auditVerification: Verified }>(
      "{ auditVerification { ok entries seals heads findings { kind where message } limits } }",
      {},
      admin,
    )
    .then(({ auditVerification }) => auditVerification);

/** Some mutations, and waits until they are sealed. */
async function work(on: Platform, round: string): Promise<void> {
  const { seals } = await verified(on);
  for (let i = 0; i < 5; i++) {
    await on.query(
      `mutation { defineCurve(input: { name: "curve-${round}-${i}", kind: YIELD, unit: "percent", tenors: ["P1Y"] }) { curve { id } } }`,
      {},
      admin,
    );
  }
  await eventually(
    () => verified(on),
    (now) => now.seals > seals,
    20_000,
  );
}

beforeAll(async () => {
  platform = await startPlatform({ environment: ENVIRONMENT });
  for (let round = 0; round < ROUNDS; round++) await work(platform, String(round));
});

afterAll(() => platform.remove());

test("what was done is sealed within seconds, and the running platform says so", async () => {
  // A seal may have come amid the last round.
  const found = await eventually(
    () => verified(platform),
    ({ entries }) => entries >= ROUNDS * 5,
  );
  expect(found).toMatchObject({ ok: true, findings: [] });
  expect(found.seals).toBeGreaterThanOrEqual(ROUNDS);
});

test("a shutdown seals and signs what is left", async () => {
  await platform.query(
    `mutation { defineCurve(input: { name: "last", kind: YIELD, unit: "percent", tenors: ["P1Y"] }) { curve { id } } }`,
    {},
    admin,
  );
  expect(await platform.stop()).toBe(0);
  await withAuditChain(platform, TEST_SECRET, async ({ verify, select }) => {
    const [entry] = await select("SELECT FROM audit_entries WHERE target = 'curve:last'");
    expect(entry).toBeDefined();
    const [one, same, other] = await Promise.all([verify(), verify(), verify(new Date(0))]);
    expect(one).toMatchObject({ ok: true, findings: [], limits: [] });
    expect(same).toBe(one);
    expect(other).not.toBe(one);
  });
});

const MIDDLE = "(SELECT last_id FROM audit_seals ORDER BY number OFFSET 1 LIMIT 1)";
const SEAL = "(SELECT number FROM audit_seals ORDER BY number OFFSET 2 LIMIT 1)";
const LAST = "(SELECT max(number) FROM audit_seals)";

const COPY = `transaction_id, at, actor, action, target, outcome, request_id, detail`;

const KEEP = "CREATE TABLE kept_entries AS TABLE audit_entries; CREATE TABLE kept_seals AS TABLE audit_seals";
const PUT_BACK = `
  TRUNCATE audit_entries, audit_seals;
  INSERT INTO audit_entries OVERRIDING SYSTEM VALUE SELECT * FROM kept_entries;
  INSERT INTO audit_seals SELECT * FROM kept_seals;
  DROP TABLE kept_entries, kept_seals`;

/** The deed, and what is found of it. */
const DEEDS: [what: string, sql: string, kinds: string[]][] = [
  ["another actor", `UPDATE audit_entries SET actor = 'mallory' WHERE id = ${MIDDLE}`, ["ENTRIES_CHANGED"]],
  [
    "another outcome",
    `UPDATE audit_entries SET outcome = 'FORBIDDEN' WHERE id = ${MIDDLE}`,
    ["ENTRIES_CHANGED"],
  ],
  [
    "another detail",
    `UPDATE audit_entries SET detail = '{"a": 1}' WHERE id = ${MIDDLE}`,
    ["ENTRIES_CHANGED"],
  ],
  ["no target", `UPDATE audit_entries SET target = NULL WHERE id = ${MIDDLE}`, ["ENTRIES_CHANGED"]],
  [
    "another time by a millisecond",
    `UPDATE audit_entries SET at = at + '1 millisecond' WHERE id = ${MIDDLE}`,
    ["ENTRIES_CHANGED"],
  ],
  ["an entry removed", `DELETE FROM audit_entries WHERE id = ${MIDDLE}`, ["ENTRIES_CHANGED"]],
  [
    "an entry added to the past",
    `INSERT INTO audit_entries (${COPY}) SELECT ${COPY} FROM audit_entries WHERE id = ${MIDDLE}`,
    ["ENTRIES_CHANGED"],
  ],
  [
    "an entry before all others",
    `INSERT INTO audit_entries (${COPY}) SELECT 1, at, actor, action, target, outcome, request_id, detail
     FROM audit_entries WHERE id = ${MIDDLE}`,
    ["ENTRIES_CHANGED"],
  ],
  ["all entries removed", "TRUNCATE audit_entries", ["ENTRIES_CHANGED"]],
  ["a seal edited", `UPDATE audit_seals SET entries = entries + 1 WHERE number = ${SEAL}`, ["SEAL_CHANGED"]],
  ["a seal removed", `DELETE FROM audit_seals WHERE number = ${SEAL}`, ["SEAL_MISSING"]],
  ["the last seal removed", `DELETE FROM audit_seals WHERE number = ${LAST}`, ["TRUNCATED"]],
  [
    "the end cut off, entries and seals",
    `WITH kept AS (SELECT last_id FROM audit_seals WHERE number = ${SEAL}),
       entries AS (DELETE FROM audit_entries WHERE id > (SELECT last_id FROM kept))
     DELETE FROM audit_seals WHERE number > ${SEAL}`,
    ["TRUNCATED"],
  ],
  ["everything removed", "TRUNCATE audit_entries, audit_seals", ["TRUNCATED"]],
];

describe("what somebody does who owns the server", () => {
  let chain: AuditChain;
  beforeAll(async () => {
    chain = await openAuditChain(platform, TEST_SECRET);
  });
  afterAll(() => chain.close());

  test.each(DEEDS)("%s is found", async (_what, sql, kinds) => {
    const { execute, select, verify } = chain;
    await execute(KEEP);
    try {
      await execute(sql);
      const { ok, findings } = await verify();
      expect(ok).toBe(false);
      const found = new Set(findings.map(({ kind }) => kind as string));
      for (const kind of kinds) expect(found).toContain(kind);
      for (const { where, message } of findings) expect(where.length * message.length).toBeGreaterThan(0);
      expect(await select("SELECT FROM kept_seals")).not.toEqual([]);
    } finally {
      await execute(PUT_BACK);
    }
    expect(await verify()).toMatchObject({ ok: true });
  });
});

/** Reads all heads, lets somebody change them, and puts them back. */
async function withHeads(
  { archive }: AuditChain,
  change: (heads: Map<string, string>) => Promise<void>,
): Promise<void> {
  const heads = new Map<string, string>();
  for await (const { name } of archive.list("audit/heads/"))
    heads.set(name, await text(await archive.read(name)));
  try {
    await change(heads);
  } finally {
    for (const [name, content] of heads) await archive.storeText(name, content);
  }
}

test("whoever chains changed entries anew is given away by the heads that were signed before", async () => {
  const before = new Set<string>();
  await withAuditChain(platform, TEST_SECRET, async ({ archive }) => {
    for await (const { name } of archive.list("audit/heads/")) before.add(name);
  });
  await withAuditChain(platform, TEST_SECRET, async ({ execute }) => {
    await execute(KEEP);
    await execute("DELETE FROM audit_seals");
  });
  // The platform itself chains them again, as well as anybody could.
  const fresh = await startPlatform({ dataDir: platform.dataDir, environment: ENVIRONMENT });
  await fresh.stop();
  await withAuditChain(platform, TEST_SECRET, async (chain) => {
    const { findings } = await chain.verify();
    expect(findings.map(({ kind }) => kind as string)).toContain("REWRITTEN");
    const signedSince: string[] = [];
    for await (const { name } of chain.archive.list("audit/heads/"))
      if (!before.has(name)) signedSince.push(name);
    for (const name of signedSince) await chain.archive.remove(name);
    await chain.execute(PUT_BACK);
    expect(await chain.verify()).toMatchObject({ ok: true });
  });
});

test("a head that was edited, or signed by somebody else, is found; without heads it is said what cannot be known", async () => {
  await withAuditChain(platform, TEST_SECRET, (chain) =>
    withHeads(chain, async (heads) => {
      const [name, content] = [...heads].at(-1)!;
      const head = JSON.parse(content) as Record<string, unknown>;
      await chain.archive.storeText(name, JSON.stringify({ ...head, number: "1" }));
      expect((await chain.verify()).findings.map(({ kind }) => kind as string)).toEqual(["HEAD_FORGED"]);
      const { privateKey } = generateKeyPairSync("ed25519");
      const signature = sign(null, Buffer.from("anything"), privateKey).toString("base64url");
      await chain.archive.storeText(name, JSON.stringify({ ...head, signature }));
      expect((await chain.verify()).findings.map(({ kind }) => kind as string)).toEqual(["HEAD_FORGED"]);
      for (const each of heads.keys()) await chain.archive.remove(each);
      const { ok, limits } = await chain.verify();
      expect([ok, limits]).toEqual([true, [expect.stringContaining("no signed head")]]);
    }),
  );
});

test("heads of another key are not this platform's", async () => {
  await withAuditChain(platform, "another secret that is long enough as well", async ({ verify }) => {
    const kinds = new Set((await verify()).findings.map(({ kind }) => kind as string));
    expect([...kinds]).toEqual(["HEAD_FORGED"]);
  });
});

test("a part can be verified alone", async () => {
  await withAuditChain(platform, TEST_SECRET, async ({ verify, select }) => {
    const [{ at }] = (await select("SELECT at FROM audit_seals ORDER BY number DESC LIMIT 1")) as [
      { at: Date },
    ];
    const all = await verify();
    const part = await verify(at);
    expect(part).toMatchObject({ ok: true });
    expect(part.seals).toBeLessThan(all.seals);
  });
});

test("without superuser's tricks the tables refuse every change", async () => {
  await withAuditChain(platform, TEST_SECRET, async ({ select }) => {
    const partitions = await select<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
       WHERE inhparent IN ('audit_entries'::regclass, 'audit_seals'::regclass)`,
    );
    const tables = ["audit_entries", "audit_seals", ...partitions.map(({ name }) => name)];
    for (const table of tables) {
      await expect(select(`TRUNCATE ${table}`)).rejects.toThrow("is append-only");
      const [row] = await select(`SELECT FROM ${table} LIMIT 1`);
      if (row === undefined) continue;
      await expect(select(`DELETE FROM ${table}`)).rejects.toThrow("is append-only");
      await expect(select(`UPDATE ${table} SET at = at`)).rejects.toThrow("is append-only");
    }
  });
});

async function command(...args: string[]): Promise<string> {
  const env = {
    ...{ PATH: process.env.PATH, ML_DATA_DIR: platform.dataDir },
    ...ENVIRONMENT,
    ...(await serviceEnvironment(platform.dataDir)),
  };
  const program = join(import.meta.dirname, "../../bundle/cli.js");
  // One that fails tells on standard output what it has found.
  return promisify(execFile)(process.execPath, [program, ...args], { env }).then(
    ({ stdout }) => `0: ${stdout}`,
    ({ code, stdout }: { code: number; stdout: string }) => `${code}: ${stdout}`,
  );
}

test("the command says the same, and ends with 1 when something is not as it was", async () => {
  expect(await command("audit", "verify", "--offline")).toMatch(/^0: verified: /);
  await withAuditChain(platform, TEST_SECRET, ({ execute }) =>
    execute(`UPDATE audit_entries SET actor = 'mallory' WHERE id = ${MIDDLE}`),
  );
  expect(await command("audit", "verify", "--offline")).toMatch(/^1: ENTRIES_CHANGED at seal 2 of /);
});
