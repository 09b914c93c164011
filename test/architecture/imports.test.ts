import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "../../..");
const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");

interface CruiseResult {
  summary: { violations: { rule: { name: string }; from: string; to: string }[]; totalCruised: number };
}

function cruise(folder: string): CruiseResult["summary"] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      cruiser,
      "--config",
      join(root, ".dependency-cruiser.cjs"),
      "--output-type",
      "json",
      "src",
      "workers",
      "migrations",
    ],
    { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as CruiseResult).summary;
}

test("nothing imports what it may not", () => {
  const { violations, totalCruised } = cruise(root);
  expect(violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
  expect(totalCruised).toBeGreaterThan(100);
});

/** Rule, the file that breaks it, what that imports. */
const seeds: [rule: string, from: string, to: string][] = [
  ["shared", "src/shared/seed.ts", "../ports/target.js"],
  ["config", "src/config/seed.ts", "../telemetry/target.js"],
  ["ports", "src/ports/seed.ts", "../adapters/onnx/target.js"],
  ["telemetry", "src/telemetry/seed.ts", "../ports/target.js"],
  ["adapters", "src/adapters/onnx/seed.ts", "../../modules/models/index.js"],
  ["gateway", "src/gateway/seed.ts", "../modules/models/target.entity.js"],
  ["modules", "src/modules/models/seed-another.ts", "../curves/target.service.js"],
  ["modules", "src/modules/models/seed-adapter.ts", "../../adapters/onnx/target.js"],
  ["rules-are-pure", "src/modules/models/seed.rules.ts", "./target.service.js"],
  ["workers", "workers/seed.ts", "../src/modules/models/target.entity.js"],
  ["cli", "src/cli/seed.ts", "../modules/models/index.js"],
  ["migrations", "migrations/seed.ts", "../src/modules/models/target.entity.js"],
  ["only-main-starts-workers", "src/app.ts", "../workers/target.js"],
  ["package-queue", "src/modules/models/seed-queue.ts", "bullmq"],
  ["package-postgres", "src/gateway/seed-postgres.ts", "pg"],
  ["package-onnxruntime", "src/modules/models/seed-onnx.ts", "onnxruntime-node"],
  ["package-typeorm", "src/modules/models/seed-typeorm.service.ts", "typeorm"],
  ["package-type-graphql", "src/modules/models/seed-graphql.service.ts", "type-graphql"],
  ["no-cycles", "src/shared/one.ts", "./two.js"],
];

describe("seeded violations are found", () => {
  let folder: string;
  let found: Set<string>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "254carbon-imports-"));
    writeFileSync(join(folder, "tsconfig.json"), '{ "compilerOptions": { "module": "nodenext" } }');
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const imports = new Map<string, string>();
    for (const [, from, to] of seeds) {
      if (to.startsWith(".")) imports.set(join(dirname(from), to).replace(/\.js$/, ".ts"), "export {};\n");
    }
    for (const [, from, to] of seeds) imports.set(from, `import "${to}";\n`);
    imports.set("src/shared/two.ts", 'import "./one.js";\n');
    for (const [path, content] of imports) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    found = new Set(cruise(folder).violations.map(({ rule: { name }, from }) => `${name}: ${from}`));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(seeds)("%s: %s imports %s", (rule, from) => {
    expect(found).toContain(`${rule}: ${from}`);
  });
});
