import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { runProgram } from "../support/run-program.js";
import { deployTools } from "./deploy-tools.js";

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

const ROOT = join(import.meta.dirname, "../../..");

/** What `kubectl apply -k` would send. */
export async function renderOverlay(name: string): Promise<KubernetesObject[]> {
  const { kubectl } = await deployTools();
  return objectsOf(await runProgram(kubectl, ["kustomize", join(ROOT, "deploy/kubernetes/overlays", name)]));
}

/** Objects in an order that does not depend on how they were rendered. */
export function objectsOf(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as KubernetesObject | null;
  });
  const objects = documents.filter((object) => object !== null);
  return objects.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

/** Kind and name, which are unique in a namespace. */
export function idOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
