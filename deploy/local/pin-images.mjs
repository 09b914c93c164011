// `npm run pin-images -- 254carbon-ml=0.2.0@sha256:... 254carbon-ml-gpu=0.2.0@sha256:...`: writes versions and digests of
// released images where kustomize and Helm read them, in the folder that it is called in.
import { readFile, writeFile } from "node:fs/promises";

const KUSTOMIZE = "deploy/kubernetes/images/kustomization.yaml";
const HELM = "deploy/helm/ml-platform/values.yaml";
/** By what the overlays call them: what the chart calls them. */
const IMAGES = { "254carbon-ml": "image", "254carbon-ml-gpu": "gpuImage" };
const FORM = /^([a-z0-9-]+)=(\d+\.\d+\.\d+[\w.-]*)@(sha256:[0-9a-f]{64})$/;

function read(argument) {
  const [, name, tag, digest] = FORM.exec(argument) ?? [];
  if (name in IMAGES) return { name, tag, digest };
  const names = Object.keys(IMAGES).join(" or ");
  process.stderr.write(`${argument}: must be NAME=VERSION@sha256:..., NAME ${names}\n`);
  process.exit(2);
}

/** Line by line: what people have written around it stays as it is. */
async function edit(file, change) {
  const before = await readFile(file, "utf8");
  const after = pins.reduce(change, before);
  await writeFile(file, after);
}

const pins = process.argv.slice(2).map(read);
if (pins.length === 0) read("");
await edit(KUSTOMIZE, (text, { name, tag, digest }) =>
  text.replace(
    new RegExp(`(- name: ${name}\\n    newName: .*\\n    newTag: ).*(?:\\n    digest: .*)?`),
    `$1${tag}\n    digest: ${digest}`,
  ),
);
await edit(HELM, (text, { name, tag, digest }) =>
  text.replace(
    new RegExp(`^(${IMAGES[name]}:\\n  repository: .*\\n  tag: ).*\\n  digest: .*`, "m"),
    `$1${tag}\n  digest: ${digest}`,
  ),
);
