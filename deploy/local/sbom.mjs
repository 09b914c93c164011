// `npm run sbom`: the bill of materials (CycloneDX) of what a user runs, on standard output, out of the lock.
// npm's own `--omit dev` leaves out whatever a development tool needs as well.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const served = new Set(
  Object.entries(packages)
    .filter(([, { dev }]) => !dev)
    .map(([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`),
);
const args = ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application", "--package-lock-only"];
const bill = JSON.parse(execFileSync("npm", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }));
const components = bill.components.filter(({ name, version }) => served.has(`${name}@${version}`));
const known = new Set([bill.metadata.component, ...components].map((component) => component["bom-ref"]));
process.stdout.write(
  `${JSON.stringify(
    {
      ...bill,
      components,
      dependencies: bill.dependencies
        .filter(({ ref }) => known.has(ref))
        .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => known.has(each)) })),
    },
    null,
    2,
  )}\n`,
);
