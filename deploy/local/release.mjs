// `npm run release -- 0.2.0`: what is unreleased in CHANGELOG.md becomes that version, of today (UTC), every place that
// names the version follows, and all that is one commit with a tag. In the repository that it is called in; pushes nothing.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const UNRELEASED = "## Unreleased\n";
/** Where the version stands beside package.json and its lock: before it, the pattern of what leads to it. */
const PLACES = {
  "docker-compose.yml": /(image: 254carbon-ml(?:-gpu)?:)\S+/g,
  "deploy/docker/Dockerfile.gpu": /(254carbon-ml-gpu:)\S+/g,
  "deploy/helm/ml-platform/Chart.yaml": /^((?:version|appVersion): ).*/gm,
  "deploy/helm/postgres/Chart.yaml": /^(version: ).*/gm,
  "deploy/helm/redis/Chart.yaml": /^(version: ).*/gm,
  "deploy/helm/minio/Chart.yaml": /^(version: ).*/gm,
};

const git = (...args) => execFileSync("git", args, { encoding: "utf8" }).trim();

function refuse(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(2);
}

const numbers = (version) => version.split(".").map(Number);
function isBelow(a, b) {
  const [left, right] = [numbers(a), numbers(b)];
  const first = left.findIndex((number, place) => number !== right[place]);
  return first >= 0 && left[first] < right[first];
}

/** @returns CHANGELOG.md with the version's heading, and an empty place for what comes next */
function changelogOf(version) {
  const text = readFileSync("CHANGELOG.md", "utf8");
  const [before, after] = text.split(UNRELEASED);
  if (after === undefined) refuse(`CHANGELOG.md: must have the heading "${UNRELEASED.trim()}" once`);
  if (!/^- /m.test(after.split(/^## /m)[0])) refuse("CHANGELOG.md: nothing is unreleased");
  const today = new Date().toISOString().slice(0, 10);
  return `${before}${UNRELEASED}\n## ${version} - ${today}\n${after}`;
}

const [version = "", ...more] = process.argv.slice(2);
if (!/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.test(version) || more.length > 0) {
  refuse(`${[version, ...more].join(" ") || "the version"}: must be one version X.Y.Z`);
}
const manifest = readFileSync("package.json", "utf8");
const current = JSON.parse(manifest).version;
if (isBelow(version, current))
  refuse(`${version}: must not be below ${current}, the version of package.json`);
if (git("status", "--porcelain") !== "") refuse("the working tree has changes: commit or stash them first");
if (git("tag", "--list", `v${version}`) !== "") refuse(`v${version}: is a tag already`);

const changelog = changelogOf(version);
writeFileSync("CHANGELOG.md", changelog);
writeFileSync("package.json", manifest.replace(/("version": ")[^"]*/, `$1${version}`));
// The lock names it twice, before all packages.
let left = 2;
writeFileSync(
  "package-lock.json",
  readFileSync("package-lock.json", "utf8").replace(/("version": ")[^"]*/g, (whole, lead) =>
    left-- > 0 ? lead + version : whole,
  ),
);
for (const [file, place] of Object.entries(PLACES)) {
  writeFileSync(file, readFileSync(file, "utf8").replace(place, `$1${version}`));
}
git("commit", "--quiet", "--all", "--message", `Release ${version}`);
git("tag", "--annotate", `v${version}`, "--message", `254Carbon ML ${version}`);
process.stdout.write(`v${version} is committed and tagged. Next: git push --follow-tags\n`);
