import { parseArgs } from "node:util";
import { CHARTS, lintChart, renderChart } from "./charts.js";
import { readCustomDefinitions, unlistedFields } from "./custom-resources.js";
import { imagesOf } from "./images.js";
import { deployTools } from "./deploy-tools.js";
import { lintDockerfile } from "./dockerfiles.js";
import { idOf, renderOverlay } from "./manifests.js";
import type { KubernetesObject } from "./manifests.js";
import { complaintsOf, kindOf, readDefinitions } from "./schema.js";

const { values } = parseArgs({
  options: {
    /** Folder of CustomResourceDefinitions: custom resources are checked against them, too. */
    crds: { type: "string" },
    /** Images without a digest are mistakes. */
    release: { type: "boolean", default: false },
    /** Prints the images, one a line, and checks nothing. */
    images: { type: "boolean", default: false },
  },
});

const { kinds, definitions } = readDefinitions((await deployTools()).definitions);
const custom = values.crds ? readCustomDefinitions(values.crds) : undefined;

/** Kubernetes' own kinds have schemas; of others the fields that are written are listed. */
function mistakesOf(object: KubernetesObject): string[] {
  const own = kinds.get(kindOf(object));
  if (own) return complaintsOf(object, own, idOf(object), definitions);
  const definition = custom?.get(kindOf(object));
  const strict = definition ? complaintsOf(object, definition, idOf(object), {}) : [];
  if (custom && !definition) strict.push(`${kindOf(object)}: is not among the definitions of --crds`);
  return [...strict, ...unlistedFields(object).map((complaint) => `${idOf(object)}: ${complaint}`)];
}

const rendered = new Map<string, KubernetesObject[]>();
for (const overlay of ["staging", "staging-ingress", "production", "production-recovered"]) {
  rendered.set(`overlay ${overlay}`, await renderOverlay(overlay));
}
for (const [chart, environments] of Object.entries(CHARTS)) {
  for (const values of environments) {
    await lintChart(chart, values);
    const run = { namespace: `ml-platform-${values}`, values };
    rendered.set(`chart ${chart}, ${values}`, await renderChart(chart, run));
  }
}
const images = [...new Set([...rendered.values()].flat().flatMap(imagesOf))].sort();
if (values.images) console.log(images.join("\n"));
else await report();

async function report(): Promise<void> {
  let mistakes = 0;
  for (const file of ["deploy/docker/Dockerfile", "deploy/docker/Dockerfile.gpu"]) {
    const found = await lintDockerfile(file);
    mistakes += found.length;
    console.log(`${file}: ${found.length} mistakes`);
    for (const complaint of found) console.log(`  ${complaint}`);
  }
  for (const [name, objects] of rendered) {
    const found = objects.flatMap(mistakesOf);
    mistakes += found.length;
    console.log(`${name}: ${objects.length} objects, ${found.length} mistakes`);
    for (const complaint of found) console.log(`  ${complaint}`);
  }
  const loose = images.filter((image) => !image.includes("@sha256:"));
  for (const image of loose) {
    console.log(`${image} has no digest yet: a release sets it by \`npm run pin-images\``);
  }
  process.exitCode = mistakes + (values.release ? loose.length : 0) > 0 ? 1 : 0;
}
