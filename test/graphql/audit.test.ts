import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, getNamedType } from "graphql";
import type { GraphQLInputObjectType } from "graphql";
import { auditedMutations } from "../../src/modules/audit/index.js";
import { GraphListener } from "../support/graph-listener.js";
import { metric } from "../support/metrics.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, readAll, refusalOf, startPlatform } from "../support/platform.js";
import type { Connection, Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

interface Entry {
  id: string;
  at: string;
  actor: string;
  action: string;
  target: string | null;
  outcome: string;
  requestId: string;
  detail: Record<string, unknown>;
}

const as = (subject: string, ...roles: string[]) => bearer(issueToken({ sub: subject, roles }));
const admin = as("ann", "ADMIN");

let platform: Platform;
/** The same, asked by an administrator. */
let ours: Platform;

beforeAll(async () => {
  const environment = { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET };
  platform = await startPlatform({ environment });
  ours = {
    ...platform,
    ask: (query, variables, headers) => platform.ask(query, variables, { ...admin, ...headers }),
    query: (query, variables, headers) => platform.query(query, variables, { ...admin, ...headers }),
  };
});

afterAll(() => platform.remove());

const ENTRIES = `query ($after: String, $first: Int = 100, $actor: String, $action: String, $from: DateTime, $to: DateTime) {
  audit(first: $first, after: $after, actor: $actor, action: $action, from: $from, to: $to) {
    edges { cursor node { id at actor action target outcome requestId detail } }
    pageInfo { hasNextPage } totalCount
  }
}`;

function page(variables: object = {}, headers = as("auditor", "OPERATOR")): Promise<Connection<Entry>> {
  return platform.query<{ audit: Connection<Entry> }>(ENTRIES, variables, headers).then(({ audit }) => audit);
}

async function entries(filter: object): Promise<Entry[]> {
  return (await page(filter)).edges.map(({ node }) => node);
}

/** Those that are written behind an answer. */
function entriesInTime(filter: object, wanted = 1): Promise<Entry[]> {
  return eventually(
    () => entries(filter),
    (found) => found.length >= wanted,
    20_000,
  );
}

test("what the entry of each mutation shows is decided, and is part of its input", () => {
  const sdl = readFileSync(join(import.meta.dirname, "../../../schema/schema.graphql"), "utf8");
  const schema = buildSchema(sdl);
  const mutations = schema.getMutationType()!.getFields();
  for (const [name, { args }] of Object.entries(mutations)) {
    const policy = auditedMutations[name];
    expect([name, policy]).toEqual([name, { target: expect.any(String), shows: expect.any(Array) }]);
    const named = [...(policy!.target.match(/\w+(?=\})/g) ?? []), ...policy!.shows];
    const input = getNamedType(args[0]!.type) as GraphQLInputObjectType;
    expect([name, named.filter((field) => !(field in input.getFields()))]).toEqual([name, []]);
  }
});

describe("mutations", () => {
  test("what one changed stands in its entry, what clients wrote freely does not", async () => {
    await uploadVersion(ours, "power-day-ahead", linearModel());
    await promote(ours, { model: "power-day-ahead", number: 1, reason: "SECRET reason" });
    const [promoted] = await entries({ action: "promoteModelVersion" });
    expect(promoted).toMatchObject({
      actor: "ann",
      target: "model:power-day-ahead#1",
      outcome: "OK",
      detail: { input: { stage: "PRODUCTION" }, withheld: ["reason"] },
    });
    expect(promoted!.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const [registered] = await entries({ action: "registerModel" });
    expect(registered).toMatchObject({ target: "model:power-day-ahead", outcome: "OK" });
    const [completed] = await entries({ action: "completeModelVersion" });
    expect(completed).toMatchObject({
      target: "model:power-day-ahead#1",
      detail: { job: expect.any(String) },
    });
  });

  test("one that changes nothing has an entry all the same", async () => {
    const before = (await page({ action: "promoteModelVersion" })).totalCount;
    await promote(ours, { model: "power-day-ahead", number: 1 });
    expect((await page({ action: "promoteModelVersion" })).totalCount).toBe(before + 1);
  });

  test("one that fails has its code, and leaves no entry of success", async () => {
    const answer = await platform.ask(
      `mutation { promoteModelVersion(input: { model: "power-day-ahead", number: 7 }) { pending } }`,
      {},
      as("bob", "ENGINEER"),
    );
    expect(refusalOf(answer)).toMatch(/^NOT_FOUND/);
    const [failed, ...others] = await entriesInTime({ actor: "bob" });
    expect(failed).toMatchObject({
      action: "promoteModelVersion",
      target: "model:power-day-ahead#7",
      outcome: "NOT_FOUND",
    });
    expect(others).toEqual([]);
  });

  test("several of one request have an entry each", async () => {
    const curve = (name: string) =>
      `defineCurve(input: { name: "${name}", kind: YIELD, unit: "percent", tenors: ["P1Y"] }) { curve { id } }`;
    await platform.query(`mutation { a: ${curve("one")} b: ${curve("two")} }`, {}, as("cleo", "ENGINEER"));
    const found = await entries({ actor: "cleo", action: "defineCurve" });
    expect(found.map(({ target }) => target).sort()).toEqual(["curve:one", "curve:two"]);
    expect(new Set(found.map(({ requestId }) => requestId)).size).toBe(1);
  });

  test("what a key is narrowed to stands in its entry", async () => {
    await ours.query(
      `mutation { createApiKey(input: {
        name: "narrow", roles: [ENGINEER],
        grants: [{ permission: "model:promote", modelPattern: "power-*", stage: STAGING }, { permission: "model:upload" }]
      }) { key { id } } }`,
    );
    const [made] = await entries({ action: "createApiKey" });
    const grants = [
      { permission: "model:promote", modelPattern: "power-*", stage: "STAGING" },
      { permission: "model:upload" },
    ];
    expect(made).toMatchObject({ target: "key:narrow", detail: { input: { grants } } });
  });

  test("jobs that a mutation started are no part of it", async () => {
    const found = await entries({ action: "completeModelVersion" });
    expect(found).toHaveLength(1);
  });
});

const ARTIFACT = `{ model(name: "power-day-ahead") { version(number: 1) { artifact { sha256 downloadUrl } } } }`;

describe("artifacts", () => {
  test("giving out a link and reading through it have entries, looking at the artifact has none", async () => {
    const who = as("dora", "ENGINEER");
    await platform.query(ARTIFACT.replace("downloadUrl", ""), {}, who);
    expect(await entries({ actor: "dora", action: "artifact.link" })).toEqual([]);
    const { model } = await platform.query<{
      model: { version: { artifact: { sha256: string; downloadUrl: string } } };
    }>(ARTIFACT, {}, who);
    const { sha256, downloadUrl } = model.version.artifact;
    const [linked] = await entries({ actor: "dora", action: "artifact.link" });
    expect(linked).toMatchObject({ target: "model:power-day-ahead#1", outcome: "OK" });
    expect((await fetch(downloadUrl)).status).toBe(200);
    const [read] = await entries({ action: "artifact.read" });
    expect(read).toMatchObject({ actor: "anonymous", target: `artifact:${sha256}`, outcome: "OK" });
    expect((await fetch(downloadUrl.replace(/signature=../, "signature=xx"))).status).toBe(403);
    const refused = await eventually(
      () => entries({ action: "artifact.read" }),
      (found) => found.some(({ outcome }) => outcome === "FORBIDDEN"),
    );
    expect(JSON.stringify(refused)).not.toContain("signature");
  });

  test("an upload has an entry, and one with a wrong link", async () => {
    const [written] = await entries({ action: "artifact.write" });
    expect(written).toMatchObject({ actor: "anonymous", outcome: "OK", detail: { remote: "127.0.0.1" } });
    expect(written!.target).toMatch(/^version:[0-9a-f-]{36}$/);
    const path = `${platform.url}/artifacts/uploads/${written!.target!.slice(8)}/model.onnx`;
    expect((await fetch(path, { method: "PUT", body: "bytes" })).status).toBe(403);
    const [refused] = await eventually(
      () => entries({ action: "artifact.write" }),
      ([newest]) => newest?.outcome !== "OK",
    );
    expect(refused).toMatchObject({ outcome: "FORBIDDEN", target: "artifact" });
  });
});

describe("refusals", () => {
  test("the first is written at once, repetitions are counted", async () => {
    for (let i = 0; i < 20; i++)
      await platform.ask("{ me { subject } }", {}, { authorization: "Bearer a.b.c" });
    const [refused, ...others] = await entriesInTime({ actor: "anonymous", action: "authenticate" });
    expect(refused).toMatchObject({ outcome: "UNAUTHENTICATED", detail: { remote: "127.0.0.1" } });
    expect(others).toEqual([]);
  });

  test("a query that was forbidden is one", async () => {
    const viewer = as("eve", "VIEWER");
    await platform.ask("query Peek { backups { totalCount } }", {}, viewer);
    const [refused] = await entriesInTime({ actor: "eve", action: "query" });
    expect(refused).toMatchObject({ outcome: "FORBIDDEN", target: "backups", detail: { operation: "Peek" } });
  });

  test("a page of another site is one", async () => {
    const headers = { origin: "https://elsewhere.example", "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify({ query: "{ me { subject } }" }) };
    expect((await fetch(`${platform.url}/graphql`, init)).status).toBe(403);
    const [refused] = await entriesInTime({ action: "request" });
    expect(refused).toMatchObject({
      ...{ actor: "anonymous", outcome: "FORBIDDEN", target: null },
      detail: { remote: "127.0.0.1" },
    });
  });

  test("what is wrong with a mutation is entered as one", async () => {
    const who = as("hal", "ENGINEER");
    await platform.ask("mutation Wrong { noSuchThing { id } }", {}, who);
    const [refused] = await entriesInTime({ actor: "hal" });
    expect(refused).toMatchObject({ action: "mutation", outcome: "INVALID_INPUT", target: null });
    await platform.ask("no document", {}, who);
    const found = await entriesInTime({ actor: "hal" }, 2);
    expect(found[0]).toMatchObject({ action: "request", outcome: "INVALID_INPUT" });
  });
});

describe("queries", () => {
  test("equal ones of a second are one entry with their number and times", async () => {
    const who = as("finn", "VIEWER");
    const asked = Array.from({ length: 30 }, () => platform.query("query Mine { me { subject } }", {}, who));
    await Promise.all(asked);
    const counted = (found: Entry[]) => found.reduce((sum, { detail }) => sum + Number(detail.count), 0);
    const found = await eventually(
      () => entries({ actor: "finn" }),
      (some) => counted(some) >= 30,
    );
    expect(counted(found)).toBe(30);
    expect(found.length).toBeLessThan(10);
    expect(found[0]).toMatchObject({
      action: "query",
      target: "me",
      outcome: "OK",
      detail: { operation: "Mine" },
    });
    expect(Number(found[0]!.detail.totalMs)).toBeGreaterThan(0);
  });

  test("names that a client makes up fill no log", async () => {
    const who = as("ivy", "VIEWER");
    const asked = Array.from({ length: 200 }, (_, i) =>
      platform.query(`query Made${i} { me { subject } }`, {}, who),
    );
    await Promise.all(asked);
    const counted = (found: Entry[]) => found.reduce((sum, { detail }) => sum + Number(detail.count), 0);
    const found = await eventually(
      () => entries({ actor: "ivy" }),
      (some) => counted(some) >= 200,
    );
    const others = found.filter(({ detail }) => detail.operation === "(others)");
    expect(others.length).toBeGreaterThan(0);
    expect(others[0]).toMatchObject({ action: "query", target: null });
    expect(found.length).toBeLessThan(100);
  });

  test("a subscription has one at its start, over the socket", async () => {
    const token = issueToken({ sub: "gus", roles: ["VIEWER"] });
    const listener = new GraphListener(
      platform,
      "subscription Watch { jobEvents { cursor } }",
      {},
      { token },
    );
    const [watched] = await entriesInTime({ actor: "gus" });
    expect(watched).toMatchObject({ action: "subscription", target: "jobEvents", outcome: "OK" });
    await listener.close();
    expect(await metric(platform, "audit_entries_dropped_total")).toBe(0);
  });
});

describe("reading the log", () => {
  test("is for ADMIN and OPERATOR", async () => {
    for (const role of ["VIEWER", "ANALYST", "ENGINEER"]) {
      expect(refusalOf(await platform.ask("{ audit { totalCount } }", {}, as("x", role)))).toBe("FORBIDDEN");
    }
    expect((await page({}, as("x", "ADMIN"))).totalCount).toBeGreaterThan(0);
  });

  test("goes page by page, newest first, within a span", async () => {
    const to = new Date().toISOString();
    const all = await readAll((after) => page({ after, first: 3, to }));
    const times = all.map(({ at }) => at);
    expect(times).toEqual([...times].sort().reverse());
    const from = times.at(-3)!;
    const later = await readAll((after) => page({ after, from, to }));
    expect(later.length).toBe(all.filter(({ at }) => at >= from).length);
  });

  test("an entry is a node", async () => {
    const [entry] = await entries({});
    const ask = (headers: Record<string, string>) =>
      platform.ask<{ node: { id: string } }>(
        "query ($id: ID!) { node(id: $id) { id ... on AuditEntry { action } } }",
        { id: entry!.id },
        headers,
      );
    expect((await ask(admin)).data!.node).toEqual({ id: entry!.id, action: entry!.action });
    expect(refusalOf(await ask(as("x", "ENGINEER")))).toBe("FORBIDDEN");
  });
});

test("a link fills the log no faster than 600 reads a minute", async () => {
  const { model } = await platform.query<{
    model: { version: { artifact: { downloadUrl: string } } };
  }>(ARTIFACT, {}, as("dora", "ENGINEER"));
  const { downloadUrl } = model.version.artifact;
  const read = async () => {
    const answer = await fetch(downloadUrl, { headers: { range: "bytes=0-0" } });
    await answer.arrayBuffer();
    return answer.status;
  };
  const statuses: number[] = [];
  for (let i = 0; i < 21; i++) statuses.push(...(await Promise.all(Array.from({ length: 30 }, read))));
  expect(statuses.filter((status) => status === 206)).toHaveLength(600);
  expect(statuses.at(-1)).toBe(429);
  expect((await fetch(downloadUrl.replace(/signature=(.+)/, "signature=$1!"))).status).toBe(429);
}, 60_000);
