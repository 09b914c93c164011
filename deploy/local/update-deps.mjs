// `npm run update-deps`: the newest packages of the majors that package.json names, each pinned to its version, and the
// newest of what those depend on; then the lock. Installs nothing, and leaves majors to people.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const npm = (...args) =>
  execFileSync(process.platform === "win32" ? "npm.cmd" : "npm", args, {
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
const read = () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  return { ...dependencies, ...devDependencies };
};

const before = read();
// Of a version below 1 the second number counts as the major one; that is what a caret means. What comes before a
// first release was chosen by hand, and stays.
const wanted = Object.entries(before)
  .filter(([, version]) => !version.includes("-"))
  .map(([name, version]) => `${name}@^${version}`);
const quiet = ["--package-lock-only", "--no-audit", "--no-fund", "--loglevel=error"];
npm("install", "--save-exact", ...quiet, ...wanted);
npm("update", ...quiet);
npm("run", "--silent", "lock");

const changed = Object.entries(read()).filter(([name, version]) => before[name] !== version);
for (const [name, version] of changed) process.stdout.write(`${name} ${before[name]} -> ${version}\n`);
process.stdout.write(
  `${changed.length} packages of package.json changed. Next: npm ci && npm run check; commit package.json and package-lock.json\n`,
);
