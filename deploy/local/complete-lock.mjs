// Run after every change of dependencies (`npm run lock`). A registry that does not serve every platform's optional
// packages leaves them out of package-lock.json, and `npm ci` elsewhere then calls the lock out of sync. Their
// entries need no more than a version and the platform that they are for.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));

const SYSTEMS = ["darwin", "win32", "freebsd", "openbsd", "netbsd", "android", "sunos", "aix", "openharmony"];
const PROCESSORS = ["arm64", "x64", "ia32", "arm", "ppc64", "s390x", "riscv64", "loong64", "mips64el"];

/** The platform that a package's name tells, e.g. @swc/core-darwin-arm64. */
function platformOf(name) {
  if (/wasm|wasi/.test(name)) return { os: ["wasm"], cpu: ["wasm32"] };
  const os = SYSTEMS.find((system) => name.includes(system)) ?? "linux";
  const cpu = PROCESSORS.find((processor) => name.includes(processor)) ?? "x64";
  return { os: [os], cpu: [cpu] };
}

let added = 0;
for (const [parent, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] || lock.packages[`${parent}/${path}`]) continue;
    const version = range.replace(/^[\^~]/, "");
    lock.packages[path] = {
      version,
      ...platformOf(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added++;
  }
}
if (added > 0) {
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`${added} entries added to package-lock.json`);
