import { buildClientSchema, getIntrospectionQuery } from "graphql";
import type { IntrospectionQuery } from "graphql";
import { linearModel } from "../support/onnx-models.js";
import { GraphListener } from "../support/graph-listener.js";
import { curveWithHistory, datesOf, snapshotsOf, trained } from "../support/market-curves.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { rawGraph } from "../support/raw-http.js";
import { promote, uploadVersion } from "../support/registry.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

const ROLES = ["VIEWER", "ANALYST", "ENGINEER", "OPERATOR", "ADMIN"] as const;
type Role = (typeof ROLES)[number];
type Allowed = readonly Role[];

const READERS: Allowed = ROLES;
const ANALYSTS: Allowed = ["ANALYST", "ENGINEER", "ADMIN"];
const ENGINEERS: Allowed = ["ENGINEER", "ADMIN"];
const PROMOTERS: Allowed = ["ENGINEER", "OPERATOR", "ADMIN"];
const OPERATORS: Allowed = ["OPERATOR", "ADMIN"];
const ADMINS: Allowed = ["ADMIN"];

/** Every operation but `me` and `node`, in a form that changes nothing, and who may do it. */
const OPERATIONS: Record<string, [document: string, allowed: Allowed]> = {
  model: [`{ model(name: "absent") { id } }`, READERS],
  models: [`{ models { totalCount } }`, READERS],
  curve: [`{ curve(name: "absent") { id } }`, READERS],
  curves: [`{ curves { totalCount } }`, READERS],
  trainingRun: [`{ trainingRun(id: "absent") { id } }`, READERS],
  trainingRuns: [`{ trainingRuns { totalCount } }`, READERS],
  job: [`{ job(id: "absent") { id } }`, READERS],
  jobs: [`{ jobs { totalCount } }`, READERS],
  predict: [`{ predict(input: { model: "absent", inputs: [] }) { id } }`, ANALYSTS],
  forecast: [`{ forecast(input: { curve: "absent" }) { id } }`, ANALYSTS],
  embed: [`{ embed(input: { texts: [] }) { dimensions } }`, ANALYSTS],
  registerModel: [
    `mutation { registerModel(input: { name: "NO NAME", kind: TENSOR }) { model { id } } }`,
    ENGINEERS,
  ],
  createModelVersion: [
    `mutation { createModelVersion(input: { model: "absent", sha256: "0", bytes: 1 }) { version { id } } }`,
    ENGINEERS,
  ],
  completeModelVersion: [
    `mutation { completeModelVersion(input: { model: "absent", number: 1 }) { version { id } } }`,
    ENGINEERS,
  ],
  promoteModelVersion: [
    `mutation { promoteModelVersion(input: { model: "absent", number: 1 }) { pending } }`,
    PROMOTERS,
  ],
  rollbackModel: [`mutation { rollbackModel(input: { model: "absent" }) { pending } }`, PROMOTERS],
  defineCurve: [
    `mutation { defineCurve(input: { name: "NO NAME", kind: YIELD, unit: "percent", tenors: [] }) { curve { id } } }`,
    ENGINEERS,
  ],
  recordCurve: [`mutation { recordCurve(input: { curve: "absent", snapshots: [] }) { created } }`, ENGINEERS],
  startTraining: [`mutation { startTraining(input: { model: "m", curve: "absent" }) { cursor } }`, ENGINEERS],
  trainEmbedder: [
    `mutation { trainEmbedder(input: { model: "m", collection: "absent" }) { cursor } }`,
    ENGINEERS,
  ],
  cancelTraining: [`mutation { cancelTraining(input: { run: "absent" }) { cursor } }`, PROMOTERS],
  collection: [`{ collection(name: "absent") { id } }`, READERS],
  collections: [`{ collections { totalCount } }`, READERS],
  search: [`{ search(input: { collection: "absent", query: "gas" }) { plan { mode } } }`, READERS],
  createCollection: [
    `mutation { createCollection(input: { name: "NO NAME" }) { collection { id } } }`,
    ENGINEERS,
  ],
  ingestDocuments: [
    `mutation { ingestDocuments(input: { collection: "absent", documents: [] }) { created } }`,
    ENGINEERS,
  ],
  deleteDocuments: [
    `mutation { deleteDocuments(input: { collection: "absent", keys: [] }) { deleted } }`,
    ENGINEERS,
  ],
  setCollectionEmbedder: [
    `mutation { setCollectionEmbedder(input: { collection: "absent", embedder: "absent" }) { collection { id } } }`,
    ENGINEERS,
  ],
  reindexCollection: [
    `mutation { reindexCollection(input: { collection: "absent" }) { cursor } }`,
    PROMOTERS,
  ],
  retryJob: [`mutation { retryJob(input: { job: "absent" }) { cursor } }`, OPERATORS],
  cancelJob: [`mutation { cancelJob(input: { job: "absent" }) { cursor } }`, OPERATORS],
  audit: [`{ audit { totalCount } }`, OPERATORS],
  auditVerification: [`{ auditVerification { ok } }`, OPERATORS],
  backups: [`{ backups { totalCount } }`, OPERATORS],
  cleanupReceipt: [`{ cleanupReceipt(job: "absent") }`, OPERATORS],
  startBackup: [`mutation { startBackup(input: { idempotencyKey: "" }) { cursor } }`, OPERATORS],
  startMirror: [`mutation { startMirror(input: { idempotencyKey: "" }) { cursor } }`, OPERATORS],
  startCleanup: [`mutation { startCleanup(input: { days: -1 }) { cursor } }`, OPERATORS],
  startVacuum: [`mutation { startVacuum(input: { idempotencyKey: "" }) { cursor } }`, OPERATORS],
  startRestoreTest: [`mutation { startRestoreTest(input: { idempotencyKey: "" }) { cursor } }`, OPERATORS],
  protectModelVersion: [
    `mutation { protectModelVersion(input: { model: "absent", number: 1 }) { version { number } } }`,
    OPERATORS,
  ],
  setFourEyes: [
    `mutation { setFourEyes(input: { model: "absent", required: true }) { model { id } } }`,
    ADMINS,
  ],
  approvePromotion: [`mutation { approvePromotion(input: { transition: "absent" }) { pending } }`, PROMOTERS],
  withdrawPromotion: [
    `mutation { withdrawPromotion(input: { transition: "absent" }) { pending } }`,
    PROMOTERS,
  ],
  apiKeys: [`{ apiKeys { totalCount } }`, ADMINS],
  createApiKey: [`mutation { createApiKey(input: { name: "", roles: [] }) { secret } }`, ADMINS],
  rotateApiKey: [`mutation { rotateApiKey(input: { id: "absent" }) { secret } }`, ADMINS],
  revokeApiKey: [`mutation { revokeApiKey(input: { id: "absent" }) { key { id } } }`, ADMINS],
  trainingEvents: [`subscription { trainingEvents(after: "no cursor") { cursor } }`, READERS],
  promotionEvents: [`subscription { promotionEvents(after: "no cursor") { cursor } }`, READERS],
  jobEvents: [`subscription { jobEvents(after: "no cursor") { cursor } }`, READERS],
};

const tokens = Object.fromEntries(ROLES.map((role) => [role, issueToken({ sub: role, roles: [role] })]));
const stranger = issueToken({ sub: "nobody", roles: [] });
const admin = bearer(tokens.ADMIN!);

let platform: Platform;
/** The same, asked by an administrator. */
let ours: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET } });
  ours = {
    ...platform,
    ask: (query, variables) => platform.ask(query, variables, admin),
    query: (query, variables) => platform.query(query, variables, admin),
  };
});

afterAll(() => platform.remove());

async function codeOf(document: string, token: string): Promise<string | undefined> {
  if (document.startsWith("subscription")) {
    const listener = new GraphListener(platform, document, {}, { token });
    const errors = (await listener.end()) as { extensions: { code: string } }[];
    await listener.close();
    return errors[0]!.extensions.code;
  }
  const { errors } = await platform.ask(document, {}, bearer(token));
  return errors?.[0]?.extensions.code;
}

interface Me {
  me: { subject: string; roles: string[] };
}

async function me(on: Platform, headers: Record<string, string>): Promise<Answer<Me>> {
  return on.ask<Me>("{ me { subject roles } }", {}, headers);
}

describe("permissions", () => {
  test("the table knows every operation of the graph", async () => {
    const schema = buildClientSchema(await ours.query<IntrospectionQuery>(getIntrospectionQuery()));
    const types = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const operations = types.flatMap((type) => Object.keys(type!.getFields()));
    expect(["me", "node", ...Object.keys(OPERATIONS)].sort()).toEqual(operations.sort());
  });

  test.each(Object.entries(OPERATIONS))("%s", async (_name, [document, allowed]) => {
    const codes = await Promise.all(
      ROLES.map(async (role) => [role, await codeOf(document, tokens[role]!)] as const),
    );
    const refused = codes.filter(([, code]) => code === "FORBIDDEN").map(([role]) => role);
    expect(refused).toEqual(ROLES.filter((role) => !allowed.includes(role)));
    expect(codes.map(([, code]) => code)).not.toContain("INTERNAL");
    expect(await codeOf(document, stranger)).toBe("FORBIDDEN");
  });

  test("several roles may do what any of them may", async () => {
    const token = issueToken({ roles: ["ANALYST", "OPERATOR"] });
    for (const [document, allowed] of Object.values(OPERATIONS)) {
      const may = allowed.includes("ANALYST") || allowed.includes("OPERATOR");
      expect([document, (await codeOf(document, token)) !== "FORBIDDEN"]).toEqual([document, may]);
    }
  });
});

describe("node", () => {
  /** One id of each type, by the type's name. */
  const ids = new Map<string, string>();

  beforeAll(async () => {
    await uploadVersion(ours, "linear", linearModel());
    await promote(ours, { model: "linear", number: 1 });
    await curveWithHistory(ours, "yields", snapshotsOf(datesOf(200)));
    const { id: run } = await trained(ours, { model: "forecaster", curve: "yields" });
    await promote(ours, { model: "forecaster", number: 1 });
    const found = await ours.query<
      Record<string, { id: string }> & { jobs: { edges: [{ node: { id: string } }] } }
    >(
      `{
        Prediction: predict(input: { model: "linear", inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { id }
        CurveForecast: forecast(input: { curve: "yields", model: "forecaster" }) { id }
        Curve: curve(name: "yields") { id }
        Model: model(name: "linear") { id production { id } transitions { edges { node { id } } } }
        jobs(first: 1) { edges { node { id } } }
      }`,
    );
    const model = found.Model as unknown as {
      id: string;
      production: { id: string };
      transitions: { edges: [{ node: { id: string } }] };
    };
    ids.set("TrainingRun", run);
    for (const type of ["Prediction", "CurveForecast", "Curve", "Model"]) ids.set(type, found[type]!.id);
    ids.set("ModelVersion", model.production.id);
    ids.set("StageTransition", model.transitions.edges[0].node.id);
    ids.set("Job", found.jobs.edges[0].node.id);
  });

  /** Code of the refusal, else the type's name, else nothing. */
  async function lookUp(id: string, token: string): Promise<string | undefined> {
    const answer = await platform.ask<{ node: { __typename: string } | null }>(
      "query Node($id: ID!) { node(id: $id) { __typename } }",
      { id },
      bearer(token),
    );
    return answer.errors ? refusalOf(answer) : answer.data!.node?.__typename;
  }

  const BEHIND: Record<string, Allowed> = { Prediction: ANALYSTS, CurveForecast: ANALYSTS };
  const unknown = (type: string): string =>
    Buffer.from(`${type}:00000000-0000-4000-8000-000000000000`).toString("base64url");

  test.each([
    "Model",
    "ModelVersion",
    "StageTransition",
    "Curve",
    "TrainingRun",
    "Job",
    "Prediction",
    "CurveForecast",
  ])(
    "%s is found by those who may read it, and told to nobody else, not even whether it exists",
    async (type) => {
      const id = ids.get(type)!;
      for (const role of ROLES) {
        const may = (BEHIND[type] ?? READERS).includes(role);
        const answers = [await lookUp(id, tokens[role]!), await lookUp(unknown(type), tokens[role]!)];
        expect([role, ...answers]).toEqual([role, ...(may ? [type, undefined] : ["FORBIDDEN", "FORBIDDEN"])]);
      }
      expect([await lookUp(id, stranger), await lookUp(unknown(type), stranger)]).toEqual([
        "FORBIDDEN",
        "FORBIDDEN",
      ]);
    },
  );

  test("what is no id, or of no type, is nothing", async () => {
    for (const id of ["", "x", unknown("Secret"), unknown("Query"), ids.get("Model")!.slice(4)]) {
      expect(await lookUp(id, tokens.ADMIN!)).toBeUndefined();
    }
  });

  test("an artifact's link is only for those who may download, on either path", async () => {
    const artifact = "{ artifact { sha256 downloadUrl } }";
    const paths = [`{ model(name: "linear") { version(number: 1) ${artifact} } }`];
    paths.push(`{ node(id: "${ids.get("ModelVersion")}") { ... on ModelVersion ${artifact} } }`);
    paths.push(
      `{ node(id: "${ids.get("StageTransition")}") { ... on StageTransition { version ${artifact} } } }`,
    );
    paths.push(`{ models { edges { node { production ${artifact} } } } }`);
    for (const role of ROLES) {
      for (const path of paths) {
        const answer = JSON.stringify(await platform.ask(path, {}, bearer(tokens[role]!)));
        expect([role, path, answer.includes("signature=")]).toEqual([role, path, ENGINEERS.includes(role)]);
      }
    }
  });
});

describe("tokens", () => {
  const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;
  const [head, body, signature] = issueToken().split(".") as [string, string, string];
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  test("a valid one says who calls", async () => {
    const token = issueToken({ sub: "trader@example.com", roles: ["ANALYST", "OPERATOR"] });
    const answer = await me(platform, bearer(token));
    expect(answer.data).toEqual({ me: { subject: "trader@example.com", roles: ["ANALYST", "OPERATOR"] } });
    expect(await me(platform, bearer(token))).toEqual(answer);
    expect(
      (await me(platform, bearer(issueToken({ aud: ["other", "254carbon-ml"] })))).errors,
    ).toBeUndefined();
    for (const typ of [undefined, "jwt", "at+jwt", "application/at+jwt"]) {
      expect((await me(platform, bearer(issueToken({}, { header: { typ } })))).errors).toBeUndefined();
    }
    expect((await me(platform, bearer(issueToken({ exp: seconds(-50) })))).errors).toBeUndefined();
    expect((await me(platform, bearer(stranger))).data).toEqual({ me: { subject: "nobody", roles: [] } });
  });

  test.each<[string, string | undefined]>([
    ["nothing", undefined],
    ["an empty header", ""],
    ["another scheme", `Basic ${Buffer.from("admin:admin").toString("base64")}`],
    ["the scheme alone", "Bearer"],
    ["garbage", "Bearer garbage"],
    ["garbage in three parts", "Bearer a.b.c"],
    ["two tokens", `Bearer ${issueToken()} ${issueToken()}`],
    ["another issuer", `Bearer ${issueToken({ iss: "someone else" })}`],
    ["no issuer", `Bearer ${issueToken({ iss: undefined })}`],
    ["another audience", `Bearer ${issueToken({ aud: "another" })}`],
    ["no audience", `Bearer ${issueToken({ aud: undefined })}`],
    ["an expired one", `Bearer ${issueToken({ exp: seconds(-3600) })}`],
    ["one without an end", `Bearer ${issueToken({ exp: undefined })}`],
    ["an end that is no number", `Bearer ${issueToken({ exp: "tomorrow" })}`],
    ["one that is not yet valid", `Bearer ${issueToken({ nbf: seconds(3600) })}`],
    ["no subject", `Bearer ${issueToken({ sub: undefined })}`],
    ["a subject that is no text", `Bearer ${issueToken({ sub: 7 })}`],
    ["an empty subject", `Bearer ${issueToken({ sub: "" })}`],
    ["a role that does not exist", `Bearer ${issueToken({ roles: ["VIEWER", "ROOT"] })}`],
    ["another secret", `Bearer ${issueToken({}, { secret: "another secret that is long enough too" })}`],
    ["an empty secret", `Bearer ${issueToken({}, { secret: "" })}`],
    ["alg none, signed", `Bearer ${issueToken({}, { header: { alg: "none" } })}`],
    ["alg none, unsigned", `Bearer ${encode({ alg: "none" })}.${body}.`],
    ["another algorithm", `Bearer ${issueToken({}, { header: { alg: "HS512" } })}`],
    ["another algorithm's family", `Bearer ${issueToken({}, { header: { alg: "RS256" } })}`],
    ["an unknown critical header", `Bearer ${issueToken({}, { header: { crit: ["b64"], b64: false } })}`],
    ["claims that were changed", `Bearer ${head}.${encode({ sub: "me", roles: ["ADMIN"] })}.${signature}`],
    ["another type", `Bearer ${issueToken({}, { header: { typ: "secevent+jwt" } })}`],
    ["a type that is no text", `Bearer ${issueToken({}, { header: { typ: 7 } })}`],
    ["more than 8 KB", `Bearer ${issueToken({ padding: "x".repeat(8192) })}`],
    ["a subject with a line break", `Bearer ${issueToken({ sub: "ann\nadmin" })}`],
    ["the subject of an API key", `Bearer ${issueToken({ sub: "key:1" })}`],
    ["a signature cut short", `Bearer ${head}.${body}.${signature.slice(0, 20)}`],
  ])("%s is UNAUTHENTICATED", async (_name, authorization) => {
    const { status, body: text } = await rawGraph(platform, "{ me { subject } }", {
      headers: authorization === undefined ? {} : { authorization },
    });
    expect(status).toBe(401);
    const answer = JSON.parse(text) as Answer<unknown>;
    expect(refusalOf(answer)).toBe("UNAUTHENTICATED");
    expect(answer.data ?? null).toBeNull();
    expect(text).not.toContain(TEST_SECRET);
  });
});

describe("the developer of a local platform", () => {
  const FORWARDING = [
    { "x-forwarded-for": "203.0.113.7" },
    { "x-forwarded-host": "ml.example.com" },
    { "x-forwarded-proto": "https" },
    { "x-real-ip": "127.0.0.1" },
    { forwarded: "for=127.0.0.1" },
    { via: "1.1 proxy" },
  ] as Record<string, string>[];

  test("needs no token, unless a proxy passed the request on", async () => {
    const local = await startPlatform();
    try {
      expect((await me(local, {})).data).toEqual({ me: { subject: "developer", roles: ["ADMIN"] } });
      for (const headers of FORWARDING) {
        expect([headers, refusalOf(await me(local, headers))]).toEqual([headers, "UNAUTHENTICATED"]);
      }
      // Credentials are never ignored, not even where none are needed.
      expect(refusalOf(await me(local, bearer(issueToken())))).toBe("UNAUTHENTICATED");
    } finally {
      await local.remove();
    }
  });

  test("exists on a loopback address only", async () => {
    const open = await startPlatform({ environment: { ML_HOST: "0.0.0.0", ML_JWT_SECRET_KEY: TEST_SECRET } });
    try {
      const local = { ...open, url: open.url.replace("0.0.0.0", "127.0.0.1") };
      const { body: text } = await rawGraph(local, "{ me { subject } }");
      expect(refusalOf(JSON.parse(text) as Answer<unknown>)).toBe("UNAUTHENTICATED");
      expect((await me(open, bearer(issueToken()))).data?.me.subject).toBe("tester");
    } finally {
      await open.remove();
    }
  });
});
