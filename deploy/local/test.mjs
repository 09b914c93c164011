// `npm test [-- jest arguments]`: installs what is missing, builds what changed, runs the tests. With `--services`, as
// `npm run test:services`, those of the service tier, on servers that the run starts for itself.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const jest = createRequire(import.meta.url).resolve("jest/bin/jest");
const [first, ...rest] = process.argv.slice(2);
const services = first === "--services";
const { status } = spawnSync(
  process.execPath,
  [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    // Embedded engines that live for a file's seconds earn no optimizing back.
    "--liftoff-only",
    jest,
    ...(services ? rest : process.argv.slice(2)),
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: services ? { ...process.env, TEST_TIER: "service" } : process.env,
  },
);
process.exit(status ?? 1);
