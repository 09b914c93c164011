import pg from "pg";
import { linearModel } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { uploadVersion } from "../support/registry.js";
import { serviceEnvironment } from "../support/service-tier.js";

let platform: Platform;
let client: pg.Client;

beforeAll(async () => {
  platform = await startPlatform();
  const { ML_VECTOR_DB_DSN: connectionString } = await serviceEnvironment(platform.dataDir);
  client = new pg.Client({ connectionString });
  await client.connect();
  await uploadVersion(platform, "linear", linearModel());
});

afterAll(async () => {
  await client.end();
  await platform.remove();
});

/** The log takes no entry of the action for as long as the work takes. */
async function withoutEntriesOf(action: string, work: () => Promise<void>): Promise<void> {
  await client.query(
    `ALTER TABLE audit_entries ADD CONSTRAINT full_up CHECK (action <> '${action}' OR outcome <> 'OK') NOT VALID`,
  );
  try {
    await work();
  } finally {
    await client.query("ALTER TABLE audit_entries DROP CONSTRAINT full_up");
  }
}

const CURVE = `mutation { defineCurve(input: { name: "c", kind: YIELD, unit: "percent", tenors: ["P1Y"] }) { curve { id } } }`;
const COMPLETE = `mutation { completeModelVersion(input: { model: "linear", number: 1 }) { version { number } } }`;
const LINK = `{ model(name: "linear") { version(number: 1) { artifact { downloadUrl } } } }`;

const code = async (document: string) => (await platform.ask(document)).errors?.[0]?.extensions.code;

test("a change without its entry does not happen, and its failure is entered", async () => {
  const outcomes = async () => {
    const { rows } = await client.query<{ outcome: string }>(
      "SELECT outcome FROM audit_entries WHERE action = 'defineCurve' ORDER BY id",
    );
    return rows.map(({ outcome }) => outcome);
  };
  await withoutEntriesOf("defineCurve", async () => {
    expect(await code(CURVE)).toBe("INTERNAL");
    expect(await platform.query(`{ curve(name: "c") { id } }`)).toEqual({ curve: null });
  });
  // Behind the answer: it would come after the next one's otherwise.
  await eventually(outcomes, (found) => found.length === 1);
  expect(await code(CURVE)).toBeUndefined();
  expect(await outcomes()).toEqual(["INTERNAL", "OK"]);
});

test("a mutation that changes nothing is not answered without its entry", async () => {
  await withoutEntriesOf("completeModelVersion", async () => {
    expect(await code(COMPLETE)).toBe("INTERNAL");
  });
  expect(await code(COMPLETE)).toBeUndefined();
});

test("no link and no byte of an artifact leaves without its entry", async () => {
  await withoutEntriesOf("artifact.link", async () => {
    const answer = await platform.ask(LINK);
    expect(answer.errors?.[0]?.extensions.code).toBe("INTERNAL");
    expect(JSON.stringify(answer)).not.toContain("signature=");
  });
  const { model } = await platform.query<{ model: { version: { artifact: { downloadUrl: string } } } }>(LINK);
  const { downloadUrl } = model.version.artifact;
  await withoutEntriesOf("artifact.read", async () => {
    const refused = await fetch(downloadUrl);
    expect(refused.status).toBe(500);
    expect((await refused.arrayBuffer()).byteLength).toBeLessThan(1_000);
  });
  const read = await fetch(downloadUrl);
  expect([read.status, (await read.arrayBuffer()).byteLength]).toEqual([200, linearModel().byteLength]);
});
