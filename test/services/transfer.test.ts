import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { transfer } from "../support/transfer-cli.js";
import { furnish, pictureOf } from "../support/transferable.js";

/** Names no servers: the embedded engines. */
const EMBEDDED = { ML_VECTOR_DB_DSN: "" };

let folder: TemporaryFolder;
let platform: Platform | undefined;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterAll(async () => {
  await platform?.stop("SIGKILL");
  await removeServicePlace(at("service"));
  await folder.remove();
});

async function running<T>(
  dataDir: string,
  environment: Record<string, string>,
  work: (on: Platform) => Promise<T>,
): Promise<T> {
  platform = await startPlatform({ dataDir, environment });
  const done = await work(platform);
  await platform.stop();
  return done;
}

/** All but the audit log, in which an import has an entry. */
async function tablesOf(name: string): Promise<Record<string, string>> {
  const all = await readdir(join(at(name), "tables"));
  const files = all.filter((file) => !file.startsWith("audit_entries."));
  const read = files.map(async (file) => [
    file,
    (await readFile(join(at(name), "tables", file))).toString("hex"),
  ]);
  return Object.fromEntries((await Promise.all(read)) as [string, string][]);
}

test("a platform moves from embedded engines to PostgreSQL, Redis and S3, and back", async () => {
  const { contents, picture } = await running(at("laptop"), EMBEDDED, async (on) => {
    const furnished = await furnish(on);
    return { contents: furnished, picture: await pictureOf(on, furnished) };
  });
  await transfer("export", at("out"), { ML_DATA_DIR: at("laptop") });

  const service = { ...(await serviceEnvironment(at("service"))), ML_DATA_DIR: at("service") };
  await transfer("import", at("out"), service);
  await transfer("export", at("back"), service);
  expect(await tablesOf("back")).toEqual(await tablesOf("out"));
  expect(await readdir(join(at("back"), "artifacts"))).toEqual(await readdir(join(at("out"), "artifacts")));
  await running(at("service"), {}, async (on) => {
    expect(await pictureOf(on, contents)).toEqual(picture);
    // One that runs can be exported, too.
    await transfer("export", at("live"), service);
  });

  await transfer("import", at("live"), { ML_DATA_DIR: at("home") });
  await running(at("home"), EMBEDDED, async (on) => expect(await pictureOf(on, contents)).toEqual(picture));
  await transfer("import", at("back"), { ML_DATA_DIR: at("other-home") });
  await transfer("export", at("again"), { ML_DATA_DIR: at("other-home") });
  expect(await tablesOf("again")).toEqual(await tablesOf("out"));
}, 600_000);
