import { connect } from "node:net";
import { getIntrospectionQuery } from "graphql";
import { createKey, revokeKey } from "../support/api-keys.js";
import { costlyRows } from "../support/onnx-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";
import { upgradeStatus } from "../support/raw-http.js";
import { RawSocket } from "../support/raw-socket.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";
import { until } from "../support/until.js";

/** Far from the limit of operations: a busy machine is late with its answers. */
const SILENCE_MS = 6_000;
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({
    environment: {
      ML_ENV: "test",
      ML_JWT_SECRET_KEY: TEST_SECRET,
      ML_MAX_SOCKETS: "12",
      ML_MAX_SOCKETS_PER_CALLER: "3",
      ML_MAX_SUBSCRIPTIONS_PER_CALLER: "4",
      ML_SILENCE_TIMEOUT_MS: String(SILENCE_MS),
      ML_OPERATION_TIMEOUT_MS: "1500",
    },
    headers: bearer(issueToken()),
  });
});
afterAll(() => platform.remove());

const socketOf = (sub: string) => RawSocket.greeted(platform, bearer(issueToken({ sub })));

/** Waits until the process has noticed that earlier sockets are gone. */
async function roomFor(sub: string): Promise<RawSocket> {
  let raw = await socketOf(sub);
  await until(async () => {
    if (raw.closed === undefined) return true;
    raw = await socketOf(sub);
    return raw.closed === undefined;
  });
  return raw;
}

test("a caller has so many sockets, which others do not count against", async () => {
  const own = [await socketOf("crowd"), await socketOf("crowd"), await socketOf("crowd")];
  expect(own.map(({ closed }) => closed)).toEqual([undefined, undefined, undefined]);
  const tooMany = await socketOf("crowd");
  expect(tooMany.closed).toBe(4429);
  const other = await socketOf("loner");
  expect(other.closed).toBeUndefined();
  await own[0]!.end();
  const again = await roomFor("crowd");
  await Promise.all([own[1]!, own[2]!, other, again].map((raw) => raw.end()));
});

test("a caller has so many subscriptions on all of its sockets, and a closed socket gives its own back", async () => {
  const first = await roomFor("subscriber");
  const second = await roomFor("subscriber");
  for (const id of ["a", "b"]) first.subscribe(id);
  for (const id of ["c", "d", "e"]) second.subscribe(id);
  await until(() => second.has("error", "e"));
  expect(second.messages.find(({ id }) => id === "e")!.payload![0]).toMatchObject({
    message: expect.stringMatching(/4 subscriptions at most/) as string,
    extensions: { code: "RATE_LIMITED" },
  });
  await first.end();
  let tries = 0;
  await until(() => {
    second.subscribe(`f${++tries}`, "{ me { subject } }");
    return second.messages.some(({ id, type }) => id?.startsWith("f") && type === "next");
  });
  await second.end();
});

test("a process has so many sockets, known or not", async () => {
  const strangers = await Promise.all(Array.from({ length: 12 }, () => RawSocket.opened(platform)));
  expect(await upgradeStatus(platform, {})).toBe(503);
  // They have not said who they are in time.
  await until(() => strangers.every(({ closed }) => closed === 4408));
  await until(async () => (await upgradeStatus(platform, {})) === 101);
});

test("a message beyond 64 KiB closes the socket", async () => {
  const raw = await roomFor("loud");
  raw.subscribe("x".repeat(70_000));
  await until(() => raw.closed !== undefined);
  expect(raw.closed).toBe(1009);
  expect(platform.stderr()).not.toMatch(/WebSocket/);
});

test("a socket that does not read what it asks for is dropped", async () => {
  const raw = await roomFor("slow");
  raw.below.pause();
  const query = getIntrospectionQuery();
  let id = 0;
  const asking = setInterval(() => {
    for (let i = 0; i < 4; i++) raw.subscribe(`q${id++}`, query);
  }, 50);
  // It can only be seen from elsewhere: who does not read learns nothing.
  await until(async () => {
    const another = await socketOf("slow");
    const second = await socketOf("slow");
    const third = await socketOf("slow");
    const free = third.closed === undefined;
    await Promise.all([another, second, third].map((one) => one.end()));
    return free;
  }, 45_000).finally(() => {
    clearInterval(asking);
    raw.socket.terminate();
  });
});

test("whose key was revoked does nothing more, by a socket that does not close either", async () => {
  const { data } = await createKey(platform, { name: "a program", roles: ["ENGINEER"] });
  const { key, secret } = data!.createApiKey;
  const raw = await RawSocket.greeted(platform, bearer(secret));
  let sent = 0;
  const register = (): void => {
    const model = `{ name: "by-socket-${sent++}", kind: TENSOR }`;
    raw.subscribe(`m${sent}`, `mutation { registerModel(input: ${model}) { model { id } } }`);
  };
  register();
  await until(() => raw.has("next", "m1"));
  // It will not hear the farewell, and so not answer it.
  raw.below.pause();
  await revokeKey(platform, key.id);
  await until(
    async () => (await platform.ask("{ me { subject } }", {}, bearer(secret))).errors !== undefined,
  );
  const asking = setInterval(register, 20);
  await until(() => raw.below.destroyed).finally(() => clearInterval(asking));
  expect(sent).toBeGreaterThan(10);
  const { models } = await platform.query<{ models: { edges: { node: { name: string } }[] } }>(
    "{ models { edges { node { name } } } }",
  );
  const names = models.edges.map(({ node }) => node.name).filter((name) => name.startsWith("by-socket"));
  expect(names).toEqual(["by-socket-0"]);
});

test("an HTTP client that does not read its answers is cut off", async () => {
  const { hostname, port } = new URL(platform.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const request =
    `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\n` +
    `Authorization: Bearer ${issueToken()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  socket.pause();
  const asking = setInterval(() => {
    if (socket.writableLength < 1_000_000) socket.write(request.repeat(50));
  }, 20);
  socket.once("close", () => clearInterval(asking));
  // Writing meets a closed connection, reading was never tried.
  await until(() => socket.destroyed, 30_000).finally(() => socket.destroy());
});

test("a call of a slow model is TIMEOUT on both doors", async () => {
  await uploadVersion(platform, "slow", costlyRows(800));
  await promote(platform, { model: "slow", number: 1 });
  const values = Array.from({ length: 10_000 }, () => new Array<number>(40).fill(0.5));
  const query = `query ($values: JSON!) { predict(input: { model: "slow", inputs: [{ name: "x", values: $values }] }) { id } }`;
  const { errors } = await platform.ask(query, { values });
  expect(errors).toMatchObject([{ extensions: { code: "TIMEOUT" } }]);
  const raw = await roomFor("waiting");
  // As many rows as fit into a message, as often as a caller may: the later ones wait for the earlier ones'.
  const variables = { values: values.slice(0, 350) };
  for (const id of ["p", "q", "r", "s"]) raw.send({ id, type: "subscribe", payload: { query, variables } });
  await until(() => JSON.stringify(raw.messages).includes('"TIMEOUT"'), 30_000);
  await raw.end();
});
