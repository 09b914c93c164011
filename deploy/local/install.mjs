// Installs the locked dependencies when they are missing or the lock file has changed since.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const lock = join(root, "package-lock.json");
const installed = join(root, "node_modules", ".installed-lock.json");

/** Runs `npm ci` once per lock file; ends the process with npm's own exit code when it fails. */
export function install() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`254Carbon needs Node 20.19 or newer; this is ${process.versions.node}.`);
    process.exit(1);
  }
  if (existsSync(installed) && readFileSync(installed).equals(readFileSync(lock))) return;
  console.error("Installing dependencies (once) ...");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status } = spawnSync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
  copyFileSync(lock, installed);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) install();
