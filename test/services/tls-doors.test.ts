import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import type { Server } from "node:tls";
import { makeAuthority } from "../support/certificates.js";
import type { Certificate, CertificateAuthority } from "../support/certificates.js";
import { linearModel } from "../support/onnx-models.js";
import { refusedStart, startPlatform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";
import { removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let authority: CertificateAuthority;
let served: Certificate;

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await makeAuthority(folder.path, "ours");
  served = await authority.issue("served", "localhost", "DNS:localhost,IP:127.0.0.1");
});
afterAll(() => folder.remove());

describe("an S3 store of an authority of our own", () => {
  let door: Server;
  let place: TemporaryFolder;
  let environment: Record<string, string>;

  beforeAll(async () => {
    place = await temporaryFolder();
    const plain = await serviceEnvironment(place.path);
    const { hostname, port } = new URL(plain.ML_S3_ENDPOINT!);
    const [cert, key, ca] = await Promise.all(
      [served.cert, served.key, authority.ca].map((file) => readFile(file)),
    );
    // Whoever comes proves himself, too.
    door = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (socket) => {
      const onward = connect(Number(port), hostname);
      for (const [from, to] of [[socket, onward] as const, [onward, socket] as const])
        from.on("error", () => to.destroy()).pipe(to);
    });
    door.listen(0, "127.0.0.1");
    await once(door, "listening");
    const endpoint = `https://localhost:${(door.address() as AddressInfo).port}`;
    environment = { ...plain, ML_S3_ENDPOINT: endpoint, ML_START_TIMEOUT_MS: "2000" };
  });
  afterAll(async () => {
    door.close();
    await removeServicePlace(place.path);
    await place.remove();
  });

  test("is reached by ML_S3_CA and a client certificate, and artifacts go there and come back", async () => {
    const client = await authority.issue("client", "platform");
    const secure = { ...environment, ML_S3_CA: authority.ca, ML_S3_CERT: client.cert, ML_S3_KEY: client.key };
    const platform = await startPlatform({ dataDir: place.path, environment: secure });
    expect(await uploadVersion(platform, "linear", linearModel())).toMatchObject({ status: "READY" });
    await platform.stop();
  });

  test("is not trusted without it, or by another's, and the refusal names the store", async () => {
    const strangers = await makeAuthority(folder.path, "theirs");
    for (const more of [{}, { ML_S3_CA: strangers.ca }] as Record<string, string>[]) {
      const { code, output } = await refusedStart(place.path, { ...environment, ...more });
      expect(code).toBe(1);
      expect(output).toMatch(/ML_S3_ENDPOINT.*certificate/s);
    }
    const unknown = await refusedStart(place.path, { ...environment, ML_S3_CA: authority.ca });
    expect([unknown.code, unknown.output]).toEqual([1, expect.stringContaining("ML_S3_ENDPOINT")]);
    const half = await refusedStart(place.path, { ...environment, ML_S3_CERT: served.cert });
    expect(half.output).toContain("ML_S3_KEY: required when ML_S3_CERT is set");
    const absent = await refusedStart(place.path, { ...environment, ML_S3_CA: "/nowhere/ca.crt" });
    expect(absent.output).toContain("ML_S3_CA: the file cannot be read");
  });
});

test("a worker's door answers probes and Prometheus by TLS 1.3 alone", async () => {
  const files = { ML_TLS_CERT: served.cert, ML_TLS_KEY: served.key };
  const worker = await startPlatform({ environment: files, args: ["worker", "--queues", "training"] });
  try {
    expect(worker.url).toMatch(/^https:/);
    const ca = await readFile(authority.ca);
    const get = async (path: string, options = {}) => {
      const sent = request(`${worker.url}${path}`, { ca, agent: false, ...options }).end();
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    expect([await get("/health/ready"), await get("/metrics"), await get("/graphql")]).toEqual([
      200, 200, 404,
    ]);
    await expect(get("/health/ready", { maxVersion: "TLSv1.2" })).rejects.toThrow(
      /protocol version|ECONNRESET/i,
    );
    await expect(fetch(`${worker.url.replace("https", "http")}/health/ready`)).rejects.toThrow();
  } finally {
    await worker.remove();
  }
});
