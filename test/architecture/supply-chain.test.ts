import { execFileSync } from "node:child_process";
import { parse } from "yaml";
import { readFromRoot } from "../support/compose-file.js";

interface LockedPackage {
  version: string;
  license?: string;
  integrity?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  hasInstallScript?: boolean;
  deprecated?: string;
}

/** Licences that ask for no more than to be named; what runs at a customer's must be under these. */
const ALLOWED_LICENCES = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
]);
/** Only in tools of ours, which reach no user. */
const ALLOWED_IN_TOOLS = new Set([...ALLOWED_LICENCES, "CC-BY-4.0", "Zlib"]);

/** @param expression of SPDX: one licence, a choice, or several at once */
function isAllowed(expression: string | undefined, allowed: ReadonlySet<string>): boolean {
  const plain = (expression ?? "none").replace(/^\((.*)\)$/, "$1");
  return plain.split(" OR ").some((choice) => choice.split(" AND ").every((each) => allowed.has(each)));
}

/** Programs that one platform alone needs, left out elsewhere: the lock has no more than their names. */
const isStub = ({ optional, integrity }: LockedPackage) => optional === true && integrity === undefined;

const { packages } = JSON.parse(readFromRoot("package-lock.json")) as {
  packages: Record<string, LockedPackage>;
};
const locked = Object.entries(packages).filter(([path, each]) => path !== "" && !isStub(each));
const nameOf = (path: string) => path.split("node_modules/").at(-1)!;

test("every package has a licence that is allowed", () => {
  const strange = locked.filter(
    ([, { license, dev }]) => !isAllowed(license, dev ? ALLOWED_IN_TOOLS : ALLOWED_LICENCES),
  );
  expect(strange.map(([path, { license }]) => `${nameOf(path)}: ${license}`)).toEqual([]);
});

test("every package is pinned by its content, from no particular registry", () => {
  for (const [path, { integrity, resolved }] of locked) {
    expect([path, integrity?.startsWith("sha512-"), resolved]).toEqual([path, true, undefined]);
  }
  const { dependencies, devDependencies } = JSON.parse(readFromRoot("package.json")) as Record<
    string,
    Record<string, string>
  >;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect([name, packages[`node_modules/${name}`]?.version]).toEqual([name, version]);
  }
});

test("no package runs a script when it is installed", () => {
  expect(readFromRoot(".npmrc")).toMatch(/^ignore-scripts=true$/m);
});

test("no package is deprecated, and the graph has one engine", () => {
  expect(locked.filter(([, { deprecated }]) => deprecated).map(([path]) => path)).toEqual([]);
  const engines = locked.filter(([path]) => ["graphql", "typeorm", "pg", "ioredis"].includes(nameOf(path)));
  expect(engines.map(([path]) => path).sort()).toEqual(
    ["graphql", "ioredis", "pg", "typeorm"].map((name) => `node_modules/${name}`),
  );
});

test("the bill of materials names what a user runs, and nothing that only builds it", () => {
  const printed = execFileSync(process.execPath, ["deploy/local/sbom.mjs"], { encoding: "utf8" });
  const bill = JSON.parse(printed) as {
    bomFormat: string;
    components: { name: string; version: string }[];
  };
  expect(bill.bomFormat).toBe("CycloneDX");
  const named = new Set(bill.components.map(({ name, version }) => `${name}@${version}`));
  const served = locked.filter(([, { dev, optional }]) => !dev && !optional);
  const missing = served.filter(([path, { version }]) => !named.has(`${nameOf(path)}@${version}`));
  expect(missing.map(([path]) => path)).toEqual([]);
  expect(named.has(`jest@${packages["node_modules/jest"]!.version}`)).toBe(false);
});

describe("the forge's workflows", () => {
  const names = ["checks", "supply-chain", "staging", "release"];
  const files = names.map((name) => `.github/workflows/${name}.yml`);
  interface Job {
    uses?: string;
    needs?: string | string[];
    permissions?: object;
    steps?: { uses?: string; run?: string }[];
  }
  interface Workflow {
    permissions: object;
    jobs: Record<string, Job>;
  }
  const jobs = files.flatMap((file) => Object.values((parse(readFromRoot(file)) as Workflow).jobs));
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test("use actions by their commit, with no right to write", () => {
    for (const { uses } of steps.filter((step) => step.uses)) expect(uses).toMatch(/^[\w/-]+@[0-9a-f]{40}$/);
    for (const file of files) {
      expect((parse(readFromRoot(file)) as Workflow).permissions).toEqual({ contents: "read" });
    }
  });

  test("store no image that has not passed the checks, and call no workflow of others", () => {
    const storing = jobs.filter(({ steps = [] }) => steps.some(({ run }) => run?.includes("docker push")));
    expect(storing).toHaveLength(2);
    for (const { needs } of storing) expect([needs].flat()).toContain("checks");
    const local = names.map((name) => `./.github/workflows/${name}.yml`);
    for (const { uses } of jobs.filter((job) => job.uses)) expect(local).toContain(uses);
  });

  test("run the checks, audit the packages and scan the images", () => {
    const commands = steps.map(({ run }) => run ?? "");
    expect(commands).toEqual(
      expect.arrayContaining([
        ".ci/run",
        "npm audit --omit=dev --audit-level=moderate",
        "npm audit signatures",
      ]),
    );
    expect(steps.some(({ uses }) => uses?.startsWith("anchore/scan-action@"))).toBe(true);
  });
});
