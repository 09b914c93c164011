import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, generateIdentity, identityToRecipient } from "age-encryption";
import pg from "pg";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { runProgram } from "../support/run-program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";
import { startVaultStub } from "../support/vault-stub.js";
import type { VaultStub } from "../support/vault-stub.js";

const FOLDER = join(import.meta.dirname, "../../../deploy/vault");
const DSN = "postgresql://app:p%40ss%2Fword@127.0.0.1";

let vault: VaultStub;

beforeEach(async () => {
  vault = await startVaultStub();
});

afterEach(() => vault.close());

function run(script: string, args: readonly string[] = [], environment: Record<string, string> = {}) {
  return runProgram("sh", [join(FOLDER, script), ...args], {
    env: { PATH: process.env.PATH, VAULT_ADDR: vault.address, VAULT_TOKEN: vault.token, ...environment },
  });
}

const newest = (name: string) => vault.secrets.get(`ml-platform/${name}`)?.at(-1);

describe("setup-vault.sh", () => {
  test("makes the store, the policies, the secrets and the login, and changes nothing when it runs again", async () => {
    const environment = {
      ML_VECTOR_DB_DSN: DSN,
      ML_S3_ACCESS_KEY_ID: "key",
      VAULT_KUBERNETES_HOST: "https://kubernetes.example.com",
    };
    expect(await run("setup-vault.sh", [], environment)).toContain("Vault is ready at secret/ml-platform");
    expect(vault.mounts.get("secret/")).toEqual({ type: "kv", options: { version: "2" } });
    expect(vault.policies.get("ml-platform")?.path["secret/data/ml-platform/*"]).toEqual({
      capabilities: ["read"],
    });
    expect(vault.policies.get("ml-platform-rotate")?.path["secret/data/ml-platform/*"]?.capabilities).toEqual(
      ["create", "read", "update"],
    );
    for (const name of ["jwt/main", "api-keys/main", "audit/main"]) {
      expect(newest(name)).toEqual({ secret_key: expect.stringMatching(/^[0-9a-f]{64}$/) });
    }
    expect(newest("database/postgres")).toEqual({ dsn: DSN });
    expect(newest("objects/s3")).toEqual({ access_key_id: "key" });
    // A key of its own, and the recipient that belongs to it.
    const { identity, recipients } = newest("backup/main")!;
    expect(recipients).toBe(await identityToRecipient(identity!));
    vault.secrets.delete("ml-platform/backup/main");
    const half = { ML_BACKUP_RECIPIENTS: recipients! };
    await expect(run("setup-vault.sh", [], half)).rejects.toThrow("backup/main needs both");
    await run("setup-vault.sh", [], { ...half, ML_BACKUP_IDENTITY: identity! });
    expect([...vault.secrets.keys()]).not.toContain("ml-platform/redis/queue");
    expect(vault.logins.has("kubernetes/")).toBe(true);

    const before = structuredClone([...vault.secrets]);
    const others = { ...environment, ML_VECTOR_DB_DSN: "postgresql://other:other@127.0.0.1" };
    expect(await run("setup-vault.sh", [], others)).toBe("Vault is ready at secret/ml-platform\n");
    expect([...vault.secrets]).toEqual(before);
  });

  test("ends at a refusal, with what the server said", async () => {
    await expect(run("setup-vault.sh", [], { VAULT_TOKEN: "wrong" })).rejects.toThrow(
      "GET sys/mounts: 403 permission denied",
    );
    vault.mounts.set("secret/", { type: "kv", options: { version: "1" } });
    await expect(run("setup-vault.sh")).rejects.toThrow("is no KV store of version 2 (kv 1)");
    expect(vault.writes).toEqual([]);
    for (const address of [
      "http://vault.example.com",
      "http://localhost.evil.example",
      "http://127.0.0.1.evil.example:8200",
      "http://localhost:8200@evil.example",
    ]) {
      await expect(run("setup-vault.sh", [], { VAULT_ADDR: address })).rejects.toThrow(
        "VAULT_ADDR: must be https",
      );
    }
  });
});

describe("rotate-secrets.sh", () => {
  beforeEach(() => run("setup-vault.sh", [], { ML_VECTOR_DB_DSN: DSN }));

  test("keeps the secret of before beside the new one, once a day unless it is forced", async () => {
    const [jwt, apiKeys] = [newest("jwt/main")!, newest("api-keys/main")!];
    await run("rotate-secrets.sh");
    expect(newest("jwt/main")).toMatchObject({ previous_secret_key: jwt.secret_key });
    expect(newest("jwt/main")!.secret_key).toMatch(/^[0-9a-f]{64}$/);
    expect(newest("jwt/main")!.secret_key).not.toBe(jwt.secret_key);
    expect(newest("api-keys/main")).toMatchObject({ previous_secret_key: apiKeys.secret_key });
    expect(newest("database/postgres")).toEqual({ dsn: DSN });

    const rotated = newest("jwt/main")!;
    expect(await run("rotate-secrets.sh", ["jwt"])).toContain("left as it is");
    expect(newest("jwt/main")).toBe(rotated);
    await run("rotate-secrets.sh", ["--force", "jwt"]);
    expect(newest("jwt/main")).toMatchObject({ previous_secret_key: rotated.secret_key });
  });

  test("writes over nothing that somebody else has written meanwhile", async () => {
    vault.refuse("ml-platform/jwt/main");
    const before = newest("jwt/main");
    await expect(run("rotate-secrets.sh", ["jwt"])).rejects.toThrow("check-and-set parameter did not match");
    expect(newest("jwt/main")).toBe(before);
  });

  test("refuses what it does not know, and a store that was not set up", async () => {
    await expect(run("rotate-secrets.sh", ["everything"])).rejects.toThrow("allowed: --force, jwt, api-keys");
    vault.secrets.delete("ml-platform/jwt/main");
    await expect(run("rotate-secrets.sh", ["jwt"])).rejects.toThrow("run setup-vault.sh first");
  });
});

describe("rotate-secrets.sh database", () => {
  let postgres: PostgresServer;

  beforeAll(async () => {
    postgres = await startPostgres();
  });

  afterAll(() => postgres.remove());

  beforeEach(async () => {
    await postgres.query("DROP ROLE IF EXISTS app");
    await postgres.query("CREATE ROLE app LOGIN PASSWORD 'p@ss/word'");
    await run("setup-vault.sh", [], { ML_VECTOR_DB_DSN: `${DSN}:${postgres.port}/postgres` });
  });

  const rotate = () =>
    run("rotate-secrets.sh", ["database"], { PATH: `${postgres.bin}:${process.env.PATH}` });

  async function login(dsn: string): Promise<void> {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await client.end();
  }

  test("gives the role another password, which the new DSN has and the old one has not", async () => {
    const { dsn: old } = newest("database/postgres")!;
    await login(old!);
    expect(await rotate()).toContain("replaced the password");
    const { dsn } = newest("database/postgres")!;
    expect(dsn).toMatch(/^postgresql:\/\/app:[0-9a-f]{64}@127\.0\.0\.1:\d+\/postgres$/);
    await login(dsn!);
    await expect(login(old!)).rejects.toThrow("password authentication failed");
    expect(await rotate()).toContain("left as it is");
  });

  test("goes on where another run ended between the server and the store", async () => {
    vault.refuse("ml-platform/database/postgres");
    await expect(rotate()).rejects.toThrow("check-and-set");
    const { dsn: old } = newest("database/postgres")!;
    await expect(login(old!)).rejects.toThrow("password authentication failed");
    vault.refuse(undefined);
    expect(await rotate()).toContain("writing down what is true");
    await login(newest("database/postgres")!.dsn!);
  });
});

describe("export-secrets.sh and restore-secrets.sh", () => {
  const CANARY = "canary-of-the-export";
  let folder: TemporaryFolder;
  let file: string;
  let identities: string[];
  let variables: Record<string, string>;

  beforeEach(async () => {
    folder = await temporaryFolder();
    file = join(folder.path, "secrets.json.age");
    identities = [await generateIdentity(), await generateIdentity()];
    const recipients = await Promise.all(identities.map(identityToRecipient));
    await writeFile(join(folder.path, "key"), `# created\n${identities[1]}\n`);
    variables = {
      ...{ ML_BACKUP_RECIPIENTS: recipients.join(), ML_BACKUP_IDENTITY_FILE: join(folder.path, "key") },
      TMPDIR: folder.path,
    };
    await run("setup-vault.sh", [], {
      ...{ ML_VECTOR_DB_DSN: DSN, ML_S3_SECRET_ACCESS_KEY: CANARY },
      ...{ ML_BACKUP_RECIPIENTS: recipients.join(), ML_BACKUP_IDENTITY: identities[0]! },
    });
  });

  afterEach(() => folder.remove());

  test("an export holds every secret for its recipients, and not a word of them for others", async () => {
    expect(await run("export-secrets.sh", [file], variables)).toContain(
      "wrote 6 secrets of secret/ml-platform",
    );
    const stored = await readFile(file);
    expect(stored.toString("latin1")).toMatch(/^age-encryption\.org\/v1\n/);
    for (const word of [CANARY, "p%40ss%2Fword", newest("jwt/main")!.secret_key!, "secret_key"])
      expect(stored.includes(word)).toBe(false);
    for (const identity of identities) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      const { secrets } = JSON.parse(await decrypter.decrypt(stored, "text")) as { secrets: object };
      expect(secrets).toEqual(
        Object.fromEntries(
          [...vault.secrets].map(([name, all]) => [name.replace("ml-platform/", ""), all.at(-1)]),
        ),
      );
    }
    // What was gathered on the way is gone.
    expect((await readdir(folder.path)).sort()).toEqual(["key", "secrets.json.age"]);
  });

  test("a lost Vault gets all of them back, and one that lives on keeps its own", async () => {
    await run("export-secrets.sh", [file], variables);
    const before = new Map(vault.secrets);
    vault.secrets.clear();
    vault.mounts.delete("secret/");
    expect(await run("restore-secrets.sh", [file], variables)).toContain("wrote secret/ml-platform/jwt/main");
    const names = [...before.keys()].sort();
    expect([...vault.secrets.keys()].sort()).toEqual(names);
    for (const name of names) expect(vault.secrets.get(name)!.at(-1)).toEqual(before.get(name)!.at(-1));

    await run("rotate-secrets.sh", ["--force", "jwt"]);
    const rotated = structuredClone([...vault.secrets]);
    const again = await run("restore-secrets.sh", [file], variables);
    expect(again).toContain("ml-platform/jwt/main is there and is another: left as it is");
    expect(again).toContain("ml-platform/audit/main is there\n");
    expect([...vault.secrets]).toEqual(rotated);
  });

  test("names of any characters are exported and come back; one that cannot be read ends the export", async () => {
    const names = ["my secret", "h#y/ümlaut", "q?x=1", "star*", "c{d,e}"];
    for (const name of names) vault.secrets.set(`ml-platform/${name}`, [{ value: `of "${name}"\n$(id)` }]);
    expect(await run("export-secrets.sh", [file], variables)).toContain(`wrote ${6 + names.length} secrets`);
    const before = new Map(vault.secrets);
    vault.secrets.clear();
    await run("restore-secrets.sh", [file], variables);
    for (const name of names) expect(newest(name)).toEqual(before.get(`ml-platform/${name}`)!.at(-1));
    vault.secrets.set("ml-platform/gone", []);
    await expect(run("export-secrets.sh", [`${file}2`], variables)).rejects.toThrow(
      "gone is listed, but cannot be read",
    );
  });

  test("an export that is interrupted leaves nothing behind", async () => {
    for (let i = 0; i < 60; i++) vault.secrets.set(`ml-platform/many/${i}`, [{ value: CANARY }]);
    const child = spawn("sh", [join(FOLDER, "export-secrets.sh"), file], {
      env: { PATH: process.env.PATH, VAULT_ADDR: vault.address, VAULT_TOKEN: vault.token, ...variables },
    });
    await until(async () => (await readdir(folder.path)).some((name) => name.startsWith("tmp.")));
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(143);
    expect(await readdir(folder.path)).toEqual(["key"]);
  });

  test("nothing is overwritten, nobody else opens it, and no recipient means no export", async () => {
    await writeFile(file, "of before");
    await expect(run("export-secrets.sh", [file], variables)).rejects.toThrow("overwrites nothing");
    expect(await readFile(file, "utf8")).toBe("of before");
    const other = join(folder.path, "other.age");
    await expect(
      run("export-secrets.sh", [other], { ...variables, ML_BACKUP_RECIPIENTS: "" }),
    ).rejects.toThrow("ML_BACKUP_RECIPIENTS");
    await expect(
      run("export-secrets.sh", [other], { ...variables, ML_BACKUP_RECIPIENTS: "age1nobody" }),
    ).rejects.toThrow("age1nobody");
    await run("export-secrets.sh", [other], variables);
    await writeFile(join(folder.path, "key"), await generateIdentity());
    await expect(run("restore-secrets.sh", [other], variables)).rejects.toThrow("no identity matched");
    expect((await readdir(folder.path)).sort()).toEqual(["key", "other.age", "secrets.json.age"]);
  });
});
