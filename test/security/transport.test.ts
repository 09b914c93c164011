import { once } from "node:events";
import { copyFile, readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect as dial } from "node:net";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import type { DetailedPeerCertificate } from "node:tls";
import { WebSocket } from "ws";
import { makeAuthority } from "../support/certificates.js";
import type { Certificate, CertificateAuthority } from "../support/certificates.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";
import { until } from "../support/until.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: CertificateAuthority;
let clients: CertificateAuthority;
let ca: Buffer;
let served: Certificate;
let platform: Platform;
let began: number;
/** Ends with a connection on which nothing was ever said. */
let silent: Promise<unknown>;

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await makeAuthority(folder.path, "servers");
  clients = await makeAuthority(folder.path, "clients");
  ca = await readFile(authority.ca);
  served = await authority.issue("served", "localhost", "DNS:localhost,IP:127.0.0.1");
  platform = await startPlatform({
    environment: {
      ML_ENV: "test",
      ML_JWT_SECRET_KEY: TEST_SECRET,
      ML_TLS_CERT: served.cert,
      ML_TLS_KEY: served.key,
      ML_TLS_CLIENT_CA: clients.ca,
      ML_TLS_CLIENT_ROLES: JSON.stringify({
        "CN=pricing": ["ANALYST"],
        "CN=joint,O=254carbon": ["ADMIN"],
        "URI:spiffe://254carbon/loader": ["ENGINEER"],
      }),
    },
  });
  began = performance.now();
  const socket = dial(Number(new URL(platform.url).port), "127.0.0.1").on("error", () => undefined);
  silent = new Promise((resolve) => socket.resume().once("close", resolve));
});
afterAll(async () => {
  await platform.remove();
  await folder.remove();
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: { data?: { me: object }; errors?: [{ extensions: { code: string } }] };
}

/** Asks who the platform thinks that we are. */
type CallOptions = RequestOptions & { session?: Buffer };

const me = (options: CallOptions = {}) => ask("{ me { subject roles } }", options);

async function ask(query: string, options: CallOptions): Promise<Answer> {
  const body = JSON.stringify({ query });
  const sent = request(`${platform.url}/graphql`, { method: "POST", ca, agent: false, ...options });
  for (const [name, value] of Object.entries({ "content-type": "application/json", ...options.headers }))
    sent.setHeader(name, String(value));
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const part of answer) text += String(part);
  return { status: answer.statusCode!, headers: answer.headers, body: JSON.parse(text) as Answer["body"] };
}

async function keysOf({ cert, key }: Certificate): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(cert), key: await readFile(key) };
}

test("the door speaks TLS 1.3 and nothing older, and says for how long to come by it", async () => {
  expect(platform.url).toMatch(/^https:/);
  const answer = await me({ headers: bearer(issueToken()) });
  expect(answer.body.data).toEqual({ me: { subject: "tester", roles: ["ADMIN"] } });
  expect(answer.headers["strict-transport-security"]).toMatch(/^max-age=\d{8}/);
  await expect(me({ maxVersion: "TLSv1.2" })).rejects.toThrow(/protocol version|ECONNRESET/i);
  await expect(fetch(platform.url.replace("https", "http"))).rejects.toThrow();
});

test("a verified certificate that is named says who calls, on both doors; a token goes before it", async () => {
  const pricing = await keysOf(await clients.issue("pricing", "pricing"));
  expect((await me(pricing)).body.data).toEqual({ me: { subject: "cert:CN=pricing", roles: ["ANALYST"] } });
  const byToken = await me({ ...pricing, headers: bearer(issueToken({ sub: "somebody" })) });
  expect(byToken.body.data).toMatchObject({ me: { subject: "somebody" } });
  const loader = await keysOf(await clients.issue("loader", "any", "URI:spiffe://254carbon/loader"));
  expect((await me(loader)).body.data).toEqual({
    me: { subject: "cert:URI:spiffe://254carbon/loader", roles: ["ENGINEER"] },
  });
  // Two persons' word is asked for, and who holds a certificate is not known.
  const transition = Buffer.from("StageTransition:00000000-0000-4000-8000-000000000000").toString(
    "base64url",
  );
  const approved = await ask(
    `mutation { approvePromotion(input: { transition: "${transition}" }) { pending } }`,
    loader,
  );
  expect(approved.body.errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
  const socket = new WebSocket(`${platform.url.replace("https", "wss")}/graphql`, "graphql-transport-ws", {
    ca,
    ...pricing,
  });
  const messages: string[] = [];
  socket.on("message", (data) => messages.push(String(data as Buffer)));
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "connection_init" }));
  await until(() => messages.length === 1);
  socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query: "{ me { subject } }" } }));
  await until(() => messages.length >= 2);
  expect(messages[1]).toMatch(/cert:CN=pricing/);
  socket.terminate();
});

test("others say nothing: of an unknown authority, not named, or with a name that only looks like one", async () => {
  const strangers = await makeAuthority(folder.path, "strangers");
  for (const certificate of [
    await strangers.issue("forged", "pricing"),
    await clients.issue("unnamed", "billing"),
    await clients.issue("alike", "joint,O=254carbon", "DNS:alike"),
  ]) {
    const { status, body } = await me(await keysOf(certificate));
    expect(status).toBe(401);
    expect(body.errors?.[0].extensions.code).toBe("UNAUTHENTICATED");
  }
});

test("one that has ended says nothing, and a socket that it opened ends with it", async () => {
  const past = await keysOf(await clients.issue("past", "pricing", "DNS:past", new Date(Date.now() - 1_000)));
  expect((await me(past)).status).toBe(401);
  const end = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 4_000);
  const brief = await keysOf(await clients.issue("brief", "pricing", "DNS:brief", end));
  const socket = new WebSocket(`${platform.url.replace("https", "wss")}/graphql`, "graphql-transport-ws", {
    ca,
    ...brief,
  });
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "connection_init" }));
  const [acknowledged] = (await once(socket, "message")) as [Buffer];
  expect(JSON.parse(String(acknowledged))).toMatchObject({ type: "connection_ack" });
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(4403);
  expect(Date.now()).toBeGreaterThanOrEqual(end.getTime() - 10);
  expect((await me(brief)).status).toBe(401);
});

test("a session that is resumed without a certificate says nothing either", async () => {
  const first = connect({ port: Number(new URL(platform.url).port), host: "127.0.0.1", ca });
  const [session] = (await once(first, "session")) as [Buffer];
  first.destroy();
  const { status, body } = await me({ session });
  expect(status).toBe(401);
  expect(body.errors?.[0].extensions.code).toBe("UNAUTHENTICATED");
});

test("whoever does not greet is not waited for", async () => {
  await silent;
  expect(performance.now() - began).toBeLessThan(30_000);
});

test("a changed certificate is served without a restart; connections under way stay", async () => {
  const { port } = new URL(platform.url);
  const servedNow = async (): Promise<string> => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", ca });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate() as DetailedPeerCertificate;
    socket.destroy();
    return serialNumber;
  };
  const before = await servedNow();
  const next = await authority.issue("next", "localhost", "DNS:localhost,IP:127.0.0.1");
  await copyFile(next.cert, served.cert);
  // Between the two files no pair fits: the one before goes on being served.
  expect(await servedNow()).toBe(before);
  await copyFile(next.key, served.key);
  await until(async () => (await servedNow()) !== before, 15_000);
  expect(join(folder.path, "next.crt")).toBe(next.cert);
});
