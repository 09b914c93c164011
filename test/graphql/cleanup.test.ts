import { perceptron } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import {
  announce,
  announcementOf,
  digestOf,
  promote,
  put,
  register,
  rollBack,
  uploadVersion,
} from "../support/registry.js";
import { cleanUp, ended, start, storedObjects, upkeep } from "../support/upkeep.js";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

/** Different bytes for each seed. */
const model = (seed: number) => perceptron([3, 4 + seed, 2]);

const objects = () => storedObjects(platform);

async function versionOf(name: string, number: number) {
  const { model: found } = await platform.query<{
    model: {
      version: {
        status: string;
        stage: string;
        protected: boolean;
        artifact: object | null;
        artifactRemovedAt: string | null;
      };
    };
  }>(
    `query ($name: String!, $number: Int!) { model(name: $name) { version(number: $number) {
      status stage protected artifact { sha256 } artifactRemovedAt } } }`,
    { name, number },
  );
  return found.version;
}

/** Uploads that many versions, equal ones for equal seeds, and puts each into production in turn. */
async function history(name: string, seeds: number[]): Promise<void> {
  for (const seed of seeds) {
    const { number, status } = await uploadVersion(platform, name, model(seed));
    expect(status).toBe("READY");
    await promote(platform, { model: name, number });
  }
}

const protect = (name: string, number: number, isProtected: boolean) =>
  platform.ask(
    "mutation ($input: ProtectModelVersionInput!) { protectModelVersion(input: $input) { version { protected } } }",
    { input: { model: name, number, protected: isProtected } },
  );

test("a dry run lists what a real one then removes, and removes nothing", async () => {
  await history("power", [0, 1, 2, 3]);
  const listed = await cleanUp(platform, 0, true);
  expect(listed.versions).toMatchObject([
    { model: "power", number: 1, was: "READY" },
    { model: "power", number: 2, was: "READY" },
  ]);
  expect(listed.artifacts.map(({ sha256 }) => sha256).sort()).toEqual(
    [0, 1].map((seed) => digestOf(model(seed))).sort(),
  );
  expect(await objects()).toHaveLength(4);
  expect(await versionOf("power", 1)).toMatchObject({
    artifact: { sha256: digestOf(model(0)) },
    artifactRemovedAt: null,
  });

  const removed = await cleanUp(platform, 0, false);
  expect(removed.versions).toEqual(listed.versions);
  expect(removed.artifacts).toEqual(listed.artifacts);
  expect(removed.counts).toMatchObject({ versions: 2, artifacts: 2 });
  expect((await objects()).sort()).toEqual([2, 3].map((seed) => digestOf(model(seed))).sort());
});

test("a version without its artifact stays on record, and serves and rises no more", async () => {
  expect(await versionOf("power", 1)).toMatchObject({
    ...{ status: "READY", stage: "ARCHIVED", artifact: null },
    artifactRemovedAt: expect.any(String),
  });
  const predicted = await platform.ask(
    `query { predict(input: { model: "power", version: { number: 1 }, inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { id } }`,
  );
  expect(refusalOf(predicted)).toBe("PRECONDITION_FAILED");
  expect(refusalOf(await promote(platform, { model: "power", number: 1 }))).toBe("PRECONDITION_FAILED");
  expect(refusalOf(await protect("power", 1, true))).toBe("PRECONDITION_FAILED");
  const { model: known } = await platform.query<{ model: { transitions: { totalCount: number } } }>(
    `query { model(name: "power") { transitions { totalCount } } }`,
  );
  expect(known.transitions.totalCount).toBe(4);
});

test("what a rollback puts back is there, and one step further there is nothing left", async () => {
  const back = await rollBack(platform, { model: "power" });
  expect(back.data!.rollbackModel.transition.version.number).toBe(3);
  const predicted = await platform.query<{ predict: { version: { number: number } } }>(
    `query { predict(input: { model: "power", inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { version { number } } }`,
  );
  expect(predicted.predict.version.number).toBe(3);
  expect(refusalOf(await rollBack(platform, { model: "power" }))).toBe("PRECONDITION_FAILED");
});

test("bytes that another version has, too, stay; so does what is protected", async () => {
  await history("gas", [10, 11, 12, 13]);
  await uploadVersion(platform, "gas-twin", model(10));
  expect((await protect("gas", 2, true)).errors).toBeUndefined();
  const { versions, artifacts } = await cleanUp(platform, 0, false);
  expect(versions.filter((version) => version.model === "gas")).toMatchObject([{ number: 1 }]);
  expect(artifacts.map(({ sha256 }) => sha256)).not.toContain(digestOf(model(10)));
  expect(await versionOf("gas", 1)).toMatchObject({ artifact: null });
  expect(await versionOf("gas", 2)).toMatchObject({
    protected: true,
    artifact: { sha256: digestOf(model(11)) },
  });
  expect(await objects()).toContain(digestOf(model(10)));

  await protect("gas", 2, false);
  expect((await cleanUp(platform, 0, false)).versions).toMatchObject([{ model: "gas", number: 2 }]);
});

test("versions archived for less than that long stay", async () => {
  await history("coal", [20, 21, 22]);
  expect((await cleanUp(platform, 1, true)).versions).toEqual([]);
});

test("an upload that nobody completes is rejected, and its bytes go; the same content can come again", async () => {
  await register(platform, { name: "oil", kind: "TENSOR" });
  const bytes = model(30);
  const { data } = await announce(platform, { model: "oil", ...announcementOf(bytes) });
  await put(data!.createModelVersion.upload.url, bytes);
  const receipt = await cleanUp(platform, 0, false);
  expect(receipt.versions).toContainEqual(
    expect.objectContaining({ model: "oil", number: 1, was: "PENDING" }),
  );
  expect(await versionOf("oil", 1)).toMatchObject({ status: "REJECTED", artifact: null });
  expect(await objects()).not.toContain(digestOf(bytes));
  expect(await uploadVersion(platform, "oil", bytes)).toMatchObject({ number: 2, status: "READY" });
});

test("what a kept backup refers to stays until that backup goes", async () => {
  await history("wind", [40, 41, 42]);
  const backup = await upkeep<{ backup: string; artifacts: number }>(platform, "startBackup");
  const { versions, artifacts, backups } = await cleanUp(platform, 0, false);
  expect(versions).toContainEqual(expect.objectContaining({ model: "wind", number: 1 }));
  expect(artifacts.map(({ sha256 }) => sha256)).not.toContain(digestOf(model(40)));
  expect(backups).toEqual([]);
  expect(backup.artifacts).toBeGreaterThan(0);
});

test("ended jobs go, but not those that answer repeated requests, nor the last of a kind that succeeded", async () => {
  const repeated = await start(platform, "startVacuum", { idempotencyKey: "again" });
  await ended(platform, repeated);
  const plain = await start(platform, "startVacuum");
  await ended(platform, plain);
  await upkeep(platform, "startVacuum");
  const { jobs } = await cleanUp(platform, 0, false);
  const gone = jobs.map(({ id }) => id);
  const idOf = (node: string) => Buffer.from(node, "base64url").toString().replace("Job:", "");
  expect(gone).toContain(idOf(plain));
  expect(gone).not.toContain(idOf(repeated));
  const found = await platform.query<{ plain: object | null; repeated: object | null }>(
    "query ($plain: ID!, $repeated: ID!) { plain: job(id: $plain) { id } repeated: job(id: $repeated) { id } }",
    { plain, repeated },
  );
  expect(found).toEqual({ plain: null, repeated: { id: repeated } });
  expect(await start(platform, "startVacuum", { idempotencyKey: "again" })).toBe(repeated);
});

test("the receipt can be read again whole; days out of range and other roles are refused", async () => {
  const job = await start(platform, "startCleanup", { days: 0 });
  const { result } = await ended(platform, job);
  const { cleanupReceipt } = await platform.query<{
    cleanupReceipt: { days: number; dryRun: boolean; versions: object[] };
  }>("query ($job: ID!) { cleanupReceipt(job: $job) }", { job });
  expect(cleanupReceipt).toMatchObject({ days: 0, dryRun: true, versions: result.versions });
  const refused = await platform.ask("mutation { startCleanup(input: { days: -1 }) { job { id } } }");
  expect(refusalOf(refused)).toBe("INVALID_INPUT input.days");
});
