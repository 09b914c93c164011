import { crc32 } from "node:zlib";
import { ApiKeyCredentials } from "../../src/modules/api-keys/api-key-credentials.js";
import { ApiKeyDigests } from "../../src/modules/api-keys/api-key-digests.js";
import { formatKey } from "../../src/modules/api-keys/api-key-format.rules.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { createKey, keyState, revokeKey, rotateKey } from "../support/api-keys.js";
import type { ApiKeyState, NewKey } from "../support/api-keys.js";
import { GraphListener } from "../support/graph-listener.js";
import { inDatabaseOf } from "../support/platform-engines.js";
import { eventually, readAll, refusalOf, startPlatform } from "../support/platform.js";
import type { Connection, Platform } from "../support/platform.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

const DAY_MS = 86_400_000;
const NEXT_SECRET = "another secret of the tests, long enough as well";
const environment = { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET };
const admin = bearer(issueToken({ sub: "admin" }));

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ environment });
});
afterAll(() => platform.remove());

async function made(input: Record<string, unknown> = {}): Promise<NewKey> {
  const { data, errors } = await createKey(platform, { name: "a program", roles: ["VIEWER"], ...input });
  if (!data) throw new Error(JSON.stringify(errors));
  return data.createApiKey;
}

const ME = "{ me { subject name roles grants { permission modelPattern stage } } }";
const me = (headers: Record<string, string>) =>
  platform.ask<{ me: { subject: string; name: string | null; roles: string[]; grants: object[] } }>(
    ME,
    {},
    headers,
  );
const daysLeft = ({ expiresAt }: ApiKeyState) => (Date.parse(expiresAt) - Date.now()) / DAY_MS;

test("a key says who calls, by either header", async () => {
  const grants = [{ permission: "model:promote", modelPattern: "power-*", stage: "STAGING" }];
  const { key, secret } = await made({ name: "loader", roles: ["ENGINEER"], grants });
  const [, id] = secret.split("_");
  expect(key).toMatchObject({
    name: "loader",
    prefix: `254c_${id}`,
    roles: ["ENGINEER"],
    grants,
    createdBy: "admin",
  });
  expect(key).toMatchObject({ lastUsedAt: null, revokedAt: null });
  const expected = { me: { subject: `key:${id}`, name: "loader", roles: ["ENGINEER"], grants } };
  expect((await me(bearer(secret))).data).toEqual(expected);
  expect((await me({ "x-api-key": secret })).data).toEqual(expected);
  expect(refusalOf(await me({ "x-api-key": secret, ...admin }))).toBe("UNAUTHENTICATED");
  const used = await eventually(
    () => keyState(platform, key.id),
    ({ lastUsedAt }) => lastUsedAt !== null,
  );
  expect(Math.abs(Date.parse(used.lastUsedAt!) - Date.now())).toBeLessThan(60_000);
});

test("it ends within 90 days", async () => {
  expect(daysLeft((await made()).key)).toBeCloseTo(90, 2);
  expect(daysLeft((await made({ expiresInDays: 1 })).key)).toBeCloseTo(1, 2);
  for (const expiresInDays of [0, -1, 91]) {
    const answer = await createKey(platform, { name: "a", roles: ["VIEWER"], expiresInDays });
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.expiresInDays");
  }
});

test.each<[Record<string, unknown>, string]>([
  [{ name: "" }, "input.name"],
  [{ name: "x".repeat(101) }, "input.name"],
  [{ roles: [] }, "input.roles"],
  [{ roles: ["VIEWER", "VIEWER"] }, "input.roles.1"],
  [{ grants: [{ permission: "model:delete" }] }, "input.grants.0.permission"],
  [{ grants: [{ permission: "model:predict" }, { permission: "key:manage" }] }, "input.grants.1.permission"],
  [{ grants: [{ permission: "model:predict", modelPattern: "Power.*" }] }, "input.grants.0.modelPattern"],
  [{ grants: [{ permission: "training:start", stage: "STAGING" }] }, "input.grants.0.stage"],
  [{ subject: "root" }, "input.subject"],
  [{ digest: "0" }, "input.digest"],
])("%j is refused at %s", async (input, field) => {
  const answer = await createKey(platform, { name: "a", roles: ["VIEWER"], ...input });
  expect(refusalOf(answer)).toBe(`INVALID_INPUT ${field}`);
});

test("what is no key, or not ours, is UNAUTHENTICATED", async () => {
  const { secret } = await made();
  const other = (await made()).secret;
  const [mark, id, , checksum] = secret.split("_") as [string, string, string, string];
  const foreign = `${mark}_${id}_${other.split("_")[2]}`;
  const wellFormed = `${foreign}_${crc32(foreign).toString(16).padStart(8, "0")}`;
  const unknown = wellFormed.replace(id, "00000000-0000-4000-8000-000000000000");
  for (const [credentials, words] of [
    [secret.slice(0, -1), /mistyped/],
    [secret.replace(/.$/, (last) => (last === "0" ? "1" : "0")), /mistyped/],
    [`${mark}_${id}_${checksum}`, /mistyped/],
    ["254c_", /mistyped/],
    [wellFormed, /not valid/],
    [unknown, /mistyped/],
  ] as const) {
    const answer = await me(bearer(credentials));
    expect(refusalOf(answer)).toBe("UNAUTHENTICATED");
    expect(answer.errors![0]!.message).toMatch(words);
  }
});

test("a revoked key is refused at once, and its socket ends", async () => {
  const { key, secret } = await made();
  const listener = new GraphListener(
    platform,
    `subscription { jobEvents { cursor } }`,
    {},
    { token: secret },
  );
  const other = await made();
  const kept = new GraphListener(
    platform,
    `subscription { jobEvents { cursor } }`,
    {},
    { token: other.secret },
  );
  expect((await me(bearer(secret))).errors).toBeUndefined();
  const { data } = await revokeKey(platform, key.id);
  expect(data!.revokeApiKey.key.revokedAt).not.toBeNull();
  await eventually(
    () => me(bearer(secret)),
    ({ errors }) => errors?.[0]?.extensions.code === "UNAUTHENTICATED",
    5_000,
  );
  expect(await listener.end()).toMatchObject({ code: 4403, reason: "the API key has ended" });
  const again = (await revokeKey(platform, key.id)).data!;
  expect(again.revokeApiKey.key.revokedAt).toBe(data!.revokeApiKey.key.revokedAt);
  expect(refusalOf(await rotateKey(platform, { id: key.id }))).toBe("PRECONDITION_FAILED");
  expect((await me(bearer(other.secret))).errors).toBeUndefined();
  await listener.close();
  await kept.close();
});

test("a key that was read before it was revoked is not remembered after that is known", async () => {
  const id = "00000000-0000-4000-8000-000000000001";
  const secret = formatKey(id, new Uint8Array(32));
  const digests = new ApiKeyDigests(() => ({ jwt: TEST_SECRET }), undefined);
  const row = { id, digest: digests.digestOf(secret), grants: [], expiresAt: new Date(Date.now() + DAY_MS) };
  let revokedAt: Date | null = null;
  let notify: (payload: string) => void = () => undefined;
  const answers: (() => void)[] = [];
  const database = {
    listen: (_channel: string, wake: typeof notify) => {
      notify = wake;
      return Promise.resolve(() => Promise.resolve());
    },
    dataSource: {
      manager: {
        findOneBy: () => {
          const read = { ...row, revokedAt };
          return new Promise((resolve) => answers.push(() => resolve(read)));
        },
        query: () => Promise.resolve(),
      },
    },
  };
  const keys = new ApiKeyCredentials(database as never, digests, createLogger("fatal"));
  await keys.start();
  const early = keys.authenticate(secret);
  revokedAt = new Date();
  notify(id);
  answers.shift()!();
  await early;
  const late = keys.authenticate(secret);
  answers.shift()?.();
  await expect(late).rejects.toThrow("has been revoked");
  await keys.close();
});

test("connection_init takes a key by either name", async () => {
  const { secret } = await made();
  for (const headers of [{ "x-api-key": secret }, bearer(secret)] as Record<string, string>[]) {
    const listener = new GraphListener(
      platform,
      `subscription { jobEvents(after: "x") { cursor } }`,
      {},
      { headers },
    );
    expect(await listener.end()).toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
    await listener.close();
  }
});

test("a rotation gives another key like it, and the old one an end", async () => {
  const grants = [{ permission: "model:predict", modelPattern: "power-*", stage: null }];
  const { key, secret } = await made({ name: "rotated", roles: ["ANALYST"], grants, expiresInDays: 20 });
  const carol = bearer(issueToken({ sub: "carol" }));
  const { rotateApiKey: rotated } = (await rotateKey(platform, { id: key.id }, carol)).data!;
  const { name, roles } = key;
  expect(rotated.key).toMatchObject({ name, roles, grants, createdBy: "carol" });
  expect(daysLeft(rotated.key)).toBeCloseTo(20, 2);
  expect(daysLeft(await keyState(platform, key.id))).toBeCloseTo(7, 2);
  for (const credentials of [secret, rotated.secret])
    expect((await me(bearer(credentials))).errors).toBeUndefined();
  // An overlap prolongs nothing.
  const brief = await made({ expiresInDays: 2 });
  await rotateKey(platform, { id: brief.key.id, overlapDays: 30 });
  expect((await keyState(platform, brief.key.id)).expiresAt).toBe(brief.key.expiresAt);
  await rotateKey(platform, { id: key.id, overlapDays: 0 });
  await eventually(
    () => me(bearer(secret)),
    ({ errors }) => errors?.[0]?.extensions.code === "UNAUTHENTICATED",
    5_000,
  );
  for (const overlapDays of [-1, 31]) {
    const answer = await rotateKey(platform, { id: brief.key.id, overlapDays });
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.overlapDays");
  }
});

test("narrowed credentials make no keys, and nobody gives what they lack", async () => {
  const grants = [{ permission: "model:promote", modelPattern: "power-*" }];
  const narrowed = bearer((await made({ roles: ["ADMIN"], grants })).secret);
  const { key } = await made();
  const input = { name: "wider", roles: ["VIEWER"] };
  expect(refusalOf(await createKey(platform, input, narrowed))).toBe("FORBIDDEN");
  expect(refusalOf(await rotateKey(platform, { id: key.id }, narrowed))).toBe("FORBIDDEN");
  const byToken = bearer(issueToken({ grants }));
  expect(refusalOf(await createKey(platform, input, byToken))).toBe("FORBIDDEN");
  const engineer = bearer((await made({ roles: ["ENGINEER", "OPERATOR"] })).secret);
  expect(refusalOf(await createKey(platform, input, engineer))).toBe("FORBIDDEN");
});

test("keys are listed newest first, to administrators alone", async () => {
  const page = (after: string | null, headers = admin) =>
    platform.ask<{ apiKeys: Connection<{ id: string; createdAt: string }> }>(
      `query Keys($after: String) { apiKeys(first: 3, after: $after) {
        edges { cursor node { id createdAt } } pageInfo { hasNextPage } totalCount } }`,
      { after },
      headers,
    );
  const keys = await readAll(async (after) => (await page(after)).data!.apiKeys);
  const times = keys.map(({ createdAt }) => createdAt);
  expect(times).toEqual([...times].sort().reverse());
  const viewer = bearer((await made({ roles: ["ENGINEER", "OPERATOR"] })).secret);
  expect(refusalOf(await page(null, viewer))).toBe("FORBIDDEN");
  const node = await platform.ask("query N($id: ID!) { node(id: $id) { id } }", { id: keys[0]!.id }, viewer);
  expect(refusalOf(node)).toBe("FORBIDDEN");
});

test("metrics tell of keys that end", async () => {
  await made({ expiresInDays: 1 });
  const metric = async (name: string) => {
    const text = await (await fetch(`${platform.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
  };
  await eventually(
    () => metric("api_keys_ending_soon"),
    (count) => count > 0,
  );
  expect(await metric("api_key_next_end_seconds")).toBeLessThanOrEqual(86_400);
});

test("a key outlives the replacement of the secret, and is kept under the new one", async () => {
  const { key, secret } = await made();
  const id = secret.split("_")[1];
  const digest = () =>
    inDatabaseOf(platform, async (query) => {
      const rows = await query<{ digest: string }>("SELECT * FROM api_keys WHERE id = $1", [id]);
      expect(JSON.stringify(rows)).not.toContain(secret.split("_")[2]);
      return rows[0]!.digest;
    });
  const { dataDir } = platform;
  await platform.stop();
  const before = await digest();
  const replacing = {
    ...environment,
    ML_JWT_SECRET_KEY: NEXT_SECRET,
    ML_JWT_SECRET_KEY_PREVIOUS: TEST_SECRET,
  };
  platform = await startPlatform({ dataDir, environment: replacing });
  expect((await me(bearer(secret))).errors).toBeUndefined();
  expect((await keyState(platform, key.id)).name).toBe("a program");
  await platform.stop();
  expect(await digest()).not.toBe(before);
  platform = await startPlatform({
    dataDir,
    environment: { ...environment, ML_JWT_SECRET_KEY: NEXT_SECRET },
  });
  expect((await me(bearer(secret))).errors).toBeUndefined();
  expect(JSON.stringify(platform.log)).not.toContain(secret.split("_")[2]);
  await platform.stop();
  platform = await startPlatform({ dataDir, environment });
  expect(refusalOf(await me(bearer(secret)))).toBe("UNAUTHENTICATED");
});

test("without any secret keys are kept by a file beside the data", async () => {
  const local = await startPlatform();
  try {
    const { secret } = (await createKey(local, { name: "local", roles: ["VIEWER"] }, {})).data!.createApiKey;
    await local.stop();
    const again = await startPlatform({ dataDir: local.dataDir });
    const answer = await again.query<{ me: { roles: string[] } }>("{ me { roles } }", {}, bearer(secret));
    expect(answer.me.roles).toEqual(["VIEWER"]);
    await again.stop();
  } finally {
    await local.remove();
  }
});
