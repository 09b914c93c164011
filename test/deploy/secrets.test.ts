import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { readFromRoot } from "../support/compose-file.js";
import { runProgram } from "../support/run-program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { deployTools } from "./deploy-tools.js";
import { renderOverlay } from "./manifests.js";
import { at, environmentOf, isProcess, ofKind, workloadsOf } from "./workloads.js";

interface ExternalSecretSpec {
  target: { name: string; template?: { data: Record<string, string> } };
  data?: { secretKey: string; remoteRef: { key: string; property: string } }[];
  dataFrom?: {
    extract: { key: string };
    rewrite: { regexp: { source: string; target: string } }[];
  }[];
}

const objects = await renderOverlay("staging");
const external = ofKind(objects, "ExternalSecret").map(({ spec }) => spec as ExternalSecretSpec);

/** What the script that prepares Vault keeps, by path, and what a rotation puts beside it. */
const kept = new Map<string, string[]>();
for (const [, path, field] of readFromRoot("deploy/vault/setup-vault.sh").matchAll(/^keep (\S+) (\S+) /gm)) {
  const previous = field === "secret_key" ? ["previous_secret_key"] : [];
  kept.set(`ml-platform/${path}`, [...(kept.get(`ml-platform/${path}`) ?? []), field!, ...previous]);
}

test("what is read of Vault is what the script that prepares it keeps there", () => {
  for (const { data = [], dataFrom = [] } of external) {
    for (const { remoteRef } of data) expect(kept.get(remoteRef.key)).toContain(remoteRef.property);
    for (const { extract } of dataFrom) expect([...kept.keys()]).toContain(extract.key);
  }
  expect(external.length).toBeGreaterThan(6);
});

test("the files that variables name are keys of the secret that is mounted there", () => {
  const keysOf = ({ data = [], dataFrom = [], target }: ExternalSecretSpec): [string, string[]] => {
    const whole = dataFrom.flatMap(({ extract, rewrite }) =>
      kept
        .get(extract.key)!
        .map((field) =>
          rewrite.reduce((key, { regexp }) => key.replace(new RegExp(regexp.source), regexp.target), field),
        ),
    );
    return [target.name, [...data.map(({ secretKey }) => secretKey), ...whole]];
  };
  const keys = new Map(external.map(keysOf));
  for (const workload of workloadsOf(objects).filter(isProcess)) {
    const mounts = workload.spec.containers[0]!.volumeMounts!;
    const files = Object.entries(environmentOf(workload)).filter(([name]) => name.endsWith("_FILE"));
    expect(files.length).toBeGreaterThan(9);
    for (const [, file] of files) {
      const { name } = mounts.find(({ mountPath }) => mountPath === dirname(file))!;
      const { secret } = workload.spec.volumes!.find((volume) => volume.name === name)!;
      expect(keys.get(secret!.secretName)).toContain(basename(file));
    }
  }
});

/** Helm has the functions that External Secrets' templates have. */
async function filledIn(template: string, values: Record<string, string>): Promise<string> {
  const { path } = await temporaryFolder();
  await mkdir(join(path, "templates"));
  await writeFile(join(path, "Chart.yaml"), "apiVersion: v2\nname: a\nversion: 0.1.0\n");
  const fields = Object.entries(values).map((each) => each.map((word) => `"${word}"`).join(" "));
  await writeFile(
    join(path, "templates/a.yaml"),
    `filled: {{ with dict ${fields.join(" ")} }}${template}{{ end }}\n`,
  );
  const { helms } = await deployTools();
  return (parse(await runProgram(helms[0]!.program, ["template", "a", path])) as { filled: string }).filled;
}

test("the engines' roles and passwords are those of the platform's DSN and URLs", async () => {
  const templateOf = (name: string) =>
    external.find(({ target }) => target.name === name)!.target.template!.data;
  const dsn = { dsn: "postgresql://ml_owner:ab12cd@postgres-rw:5432/platform" };
  for (const name of ["postgres-owner", "postgres-platform"]) {
    expect(await filledIn(templateOf(name).username!, dsn)).toBe("ml_owner");
    expect(await filledIn(templateOf(name).password!, dsn)).toBe("ab12cd");
  }
  for (const name of ["redis-queue", "redis-cache"]) {
    const url = { url: `rediss://:ef34ab@${name}:6379` };
    expect(await filledIn(templateOf(name).password!, url)).toBe("ef34ab");
  }
  const [cluster] = ofKind(objects, "Cluster");
  expect(at(cluster, "spec.bootstrap.initdb.secret.name")).toBe("postgres-owner");
  expect(at(cluster, "spec.managed.roles.0")).toMatchObject({
    name: "ml",
    passwordSecret: { name: "postgres-platform" },
  });
});
