import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Decrypter, generateIdentity, identityToRecipient } from "age-encryption";
import { GraphListener } from "../support/graph-listener.js";
import { metric, metricsOf } from "../support/metrics.js";
import { perceptron } from "../support/onnx-models.js";
import { eventually, refusalOf, refusedStart, startPlatform } from "../support/platform.js";
import type { Connection, Platform } from "../support/platform.js";
import { digestOf, promote, uploadVersion } from "../support/registry.js";
import { runCli } from "../support/run-cli.js";
import { onServiceTier, removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { start, upkeep } from "../support/upkeep.js";

let platform: Platform;
let mirror: TemporaryFolder;
let identity: string;
const artifact = perceptron([3, 5, 2]);

/** Vacuums every minute; nothing else by itself. */
const schedules = {
  ...{ ML_BACKUP_CRON: "off", ML_MIRROR_CRON: "off", ML_CLEANUP_CRON: "off" },
  ML_VACUUM_CRON: "* * * * *",
};

beforeAll(async () => {
  mirror = await temporaryFolder();
  identity = await generateIdentity();
  const recipients = [
    await identityToRecipient(identity),
    await identityToRecipient(await generateIdentity()),
  ];
  platform = await startPlatform({
    environment: { ML_MIRROR_DIR: mirror.path, ML_BACKUP_RECIPIENTS: recipients.join(), ...schedules },
  });
  await uploadVersion(platform, "spread", artifact);
  await promote(platform, { model: "spread", number: 1 });
});

afterAll(async () => {
  await platform.remove();
  await mirror.remove();
});

interface Outcome {
  code: number;
  output: { error?: { code: string; message: string } } & Record<string, unknown>;
}

async function cli(environment: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await runCli([...args, "--json"], environment);
  if (stdout === "") throw new Error(stderr);
  return { code, output: JSON.parse(stdout) as Outcome["output"] };
}

/** A place where nothing is: a folder and, on the service tier, a database and a bucket of its own. */
async function emptyPlace() {
  const folder = await temporaryFolder();
  const environment = {
    ...{ ML_DATA_DIR: folder.path, ML_MIRROR_DIR: mirror.path, ML_ENV: "development" },
    // As age-keygen writes it.
    ML_BACKUP_IDENTITY: `# created: 2026-11-29T12:00:00Z\n${identity}\n`,
    ...(await serviceEnvironment(folder.path)),
  };
  const remove = async () => {
    await removeServicePlace(folder.path);
    await folder.remove();
  };
  return { folder: folder.path, environment, remove };
}

const predictions = (of: Platform) =>
  of.query<{ predict: { outputs: { values: number[][] }[] } }>(
    `query { predict(input: { model: "spread", inputs: [{ name: "x", values: [[1, 2, 3]] }] }) { outputs { values } } }`,
  );

/** The only file of the mirror's archive that ends so. */
async function archived(ending: string): Promise<string> {
  const names = await readdir(join(mirror.path, "archive"), { recursive: true });
  const [name, ...others] = names.filter((found) => found.endsWith(ending));
  if (name === undefined || others.length > 0) throw new Error(`not one ${ending}: ${names.join()}`);
  return join(mirror.path, "archive", name);
}

test("a backup is listed with its size and digest, and everything it needs is in the mirror", async () => {
  const { code, output } = await cli({ ML_URL: platform.url }, "backup", "--wait");
  expect(code).toBe(0);
  expect(output).toMatchObject({ mirrored: true, artifacts: 1 });
  const { output: listed } = await cli({ ML_URL: platform.url }, "backups");
  expect(listed).toMatchObject([
    { sha256: output.sha256, bytes: output.bytes, artifacts: 1, mirroredAt: expect.any(String) },
  ]);
  expect((await stat(await archived("database.dump.age"))).size).toBe(output.bytes);
  const digest = digestOf(artifact);
  expect(digestOf(await readFile(join(mirror.path, "objects", digest.slice(0, 2), digest)))).toBe(digest);
  await eventually(
    () => metric(platform, "backup_last_success_timestamp_seconds"),
    (seconds) => Math.abs(seconds - Date.now() / 1000) < 300,
  );
});

test("what is stored can be read by nobody but the recipients", async () => {
  const stored = await readFile(await archived("database.dump.age"));
  expect(stored.subarray(0, 21).toString()).toBe("age-encryption.org/v1");
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const dump = Buffer.from(await decrypter.decrypt(stored));
  // Names of tables are plain in a dump of pg_dump; a packed cluster is compressed as a whole.
  const [plain, canary] = onServiceTier ? [dump, "model_versions"] : [gunzipSync(dump), "spread"];
  expect(plain.includes(canary)).toBe(true);
  expect(stored.includes(canary)).toBe(false);
  expect(stored.includes(dump.subarray(0, 16))).toBe(false);

  const place = await emptyPlace();
  try {
    const without = await cli({ ...place.environment, ML_BACKUP_IDENTITY: "" }, "restore");
    expect(without).toMatchObject({ code: 1, output: { error: { code: "PRECONDITION_FAILED" } } });
    expect(without.output.error!.message).toMatch(/encrypted: ML_BACKUP_IDENTITY/);
    const stranger = { ...place.environment, ML_BACKUP_IDENTITY: await generateIdentity() };
    expect((await cli(stranger, "restore")).output.error!.message).toMatch(/no key in it opens the backup/);
    const broken = { ...place.environment, ML_BACKUP_IDENTITY: `${identity}X` };
    const refused = (await cli(broken, "restore")).output.error!.message;
    expect(refused).toMatch(/ML_BACKUP_IDENTITY: must be secret keys of age/);
    expect(refused).not.toContain(identity);
  } finally {
    await place.remove();
  }
});

test("recipients that are none are refused at the start", async () => {
  const folder = await temporaryFolder();
  const { code, output } = await refusedStart(folder.path, {
    ...(await serviceEnvironment(folder.path)),
    ML_BACKUP_RECIPIENTS: "age1nobody",
  });
  await removeServicePlace(folder.path);
  await folder.remove();
  expect(code).toBe(1);
  expect(output).toContain(`ML_BACKUP_RECIPIENTS: "age1nobody" is not a public key of age`);
});

test("two who ask at once get one backup, a repeated request its first", async () => {
  const [one, other] = await Promise.all([start(platform, "startVacuum"), start(platform, "startVacuum")]);
  expect(one).toBe(other);
});

test("a damaged or missing dump is refused, and leaves the target empty", async () => {
  const place = await emptyPlace();
  try {
    const dump = await archived("database.dump.age");
    const whole = await readFile(dump);
    const damaged = Buffer.from(whole);
    damaged[whole.length >> 1]! ^= 1;
    await writeFile(dump, damaged);
    const refused = await cli(place.environment, "restore");
    expect(refused).toMatchObject({ code: 1, output: { error: { code: "PRECONDITION_FAILED" } } });
    expect(refused.output.error!.message).toContain("is damaged");
    await rm(dump);
    expect((await cli(place.environment, "restore")).output.error!.message).toContain("nowhere to be found");
    await writeFile(dump, whole);

    const digest = digestOf(artifact);
    const object = join(mirror.path, "objects", digest.slice(0, 2), digest);
    const bytes = await readFile(object);
    await writeFile(object, bytes.subarray(1));
    const lacking = await cli(place.environment, "restore");
    expect(lacking.output.error!.message).toContain("missing or damaged everywhere");
    await writeFile(object, bytes);

    // Nothing of these attempts is in the way.
    expect((await cli(place.environment, "restore", "--from", "latest")).code).toBe(0);
  } finally {
    await place.remove();
  }
});

test("with the database and all objects lost, a restore from the mirror brings everything back", async () => {
  const before = await predictions(platform);
  const { startVacuum: afterBackup } = await platform.query<{ startVacuum: { cursor: string } }>(
    "mutation { startVacuum(input: {}) { cursor } }",
  );
  const place = await emptyPlace();
  try {
    const { code, output } = await cli(place.environment, "restore");
    expect(output).toMatchObject({
      rows: { "public.models": 1, "public.model_versions": 1, "public.stage_transitions": 1 },
      artifacts: { verified: 0, copied: 1, bytes: artifact.byteLength },
    });
    expect(code).toBe(0);
    const again = await cli(place.environment, "restore");
    expect(again).toMatchObject({ code: 1, output: { error: { code: "PRECONDITION_FAILED" } } });
    expect(again.output.error!.message).toContain("overwrites nothing");

    const restored = await startPlatform({ dataDir: place.folder, environment: schedules });
    try {
      expect(await predictions(restored)).toEqual(before);
      const { model } = await restored.query<{ model: { transitions: { totalCount: number } } }>(
        `query { model(name: "spread") { transitions { totalCount } } }`,
      );
      expect(model.transitions.totalCount).toBe(1);
      // A client whose cursor is of an event that the backup lacks misses nothing of what comes.
      const listener = new GraphListener<{ job: { kind: string } }>(
        restored,
        `subscription Events($after: String) { jobEvents(after: $after, kind: "validate-model-version") { job { kind } } }`,
        { after: afterBackup.cursor },
      );
      expect(await uploadVersion(restored, "spread", perceptron([3, 6, 2]))).toMatchObject({ number: 2 });
      await listener.until((events) => events.length > 0);
      await listener.close();
    } finally {
      await restored.stop();
    }
  } finally {
    await place.remove();
  }
});

test("mirroring copies what is missing, and replaces what is damaged when it is told to look", async () => {
  const digest = digestOf(artifact);
  const object = join(mirror.path, "objects", digest.slice(0, 2), digest);
  expect(await upkeep(platform, "startMirror")).toMatchObject({ copiedCount: 0, present: 1, archived: 0 });
  await rm(object);
  expect(await upkeep(platform, "startMirror")).toMatchObject({
    copiedCount: 1,
    copied: [{ sha256: digest, bytes: artifact.byteLength }],
  });
  const flipped = Buffer.from(artifact);
  flipped[100]! ^= 1;
  await writeFile(object, flipped);
  expect(await upkeep(platform, "startMirror", { verify: true })).toMatchObject({ copiedCount: 1 });
  expect(digestOf(await readFile(object))).toBe(digest);
});

test("a version has its artifact in the mirror when it is READY; where the mirror was away, it is counted as missing", async () => {
  const [kept, late] = [perceptron([3, 4, 2]), perceptron([3, 7, 2])];
  const folder = join(mirror.path, "objects");
  const pathOf = (bytes: Uint8Array) => join(folder, digestOf(bytes).slice(0, 2), digestOf(bytes));
  await uploadVersion(platform, "spread", kept);
  expect(digestOf(await readFile(pathOf(kept)))).toBe(digestOf(kept));
  const missing = (count: number) =>
    eventually(
      () => metric(platform, "mirror_missing_artifacts"),
      (value) => value === count,
      30_000,
    );
  await rename(folder, `${folder}-away`);
  await writeFile(folder, "");
  expect(await uploadVersion(platform, "spread", late)).toMatchObject({ status: "READY" });
  await missing(1);
  expect(await metric(platform, "mirror_oldest_missing_seconds")).toBeGreaterThan(0);
  await rm(folder);
  await rename(`${folder}-away`, folder);
  expect(await upkeep(platform, "startMirror")).toMatchObject({ copiedCount: 1 });
  await missing(0);
  expect(digestOf(await readFile(pathOf(late)))).toBe(digestOf(late));
}, 90_000);

test("without a mirror, mirroring is refused; a schedule starts one job a minute", async () => {
  const { audit } = await eventually(
    () =>
      platform.query<{ audit: Connection<object> }>(
        `{ audit(first: 1, actor: "schedule") { edges { node { action target outcome } } } }`,
      ),
    (answer) => answer.audit.edges.length > 0,
    150_000,
  );
  const entry = { action: "startVacuum", target: "database", outcome: "OK" };
  expect(audit.edges).toEqual([{ node: entry }]);
  const place = await temporaryFolder();
  const bare = await startPlatform({ dataDir: place.path });
  try {
    const refused = await bare.ask("mutation { startMirror(input: {}) { job { id } } }");
    expect(refusalOf(refused)).toBe("PRECONDITION_FAILED");
    expect((await metricsOf(bare)).filter(({ name }) => name.startsWith("mirror_missing"))).toEqual([]);
  } finally {
    await bare.remove();
  }
}, 200_000);
