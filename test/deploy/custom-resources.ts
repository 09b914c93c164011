import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { KubernetesObject } from "./manifests.js";
import { kindOf } from "./schema.js";
import type { Schema } from "./schema.js";

interface Definition {
  kind: string;
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

/**
 * Schemas out of CustomResourceDefinitions in a folder, as an operator's release or
 * `kubectl get crd -o yaml` has them, by `apiVersion/Kind`.
 */
export function readCustomDefinitions(folder: string): Map<string, Schema> {
  const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
  const documents = files.flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), "utf8")));
  const objects = documents.map((document) => document.toJS() as Definition & { items?: Definition[] });
  const definitions = objects.flatMap((object) => object?.items ?? [object]);
  return new Map(
    definitions
      .filter((object) => object?.kind === "CustomResourceDefinition")
      .flatMap(({ spec }) =>
        spec.versions.map(({ name, schema }) => [
          `${spec.group}/${name}/${spec.names.kind}`,
          withObject(schema.openAPIV3Schema),
        ]),
      ),
  );
}

/** What every object has, custom or not. */
function withObject(schema: Schema): Schema {
  const metadata = { additionalProperties: true };
  return {
    ...schema,
    properties: { ...schema.properties, apiVersion: {}, kind: {}, metadata },
  };
}

/** The fields of custom resources that are written here, by `apiVersion/Kind`; `*` is any name. */
const FIELDS = parse(
  readFileSync(join(import.meta.dirname, "../../../test/deploy/custom-fields.yaml"), "utf8"),
) as Record<string, string[]>;

/** Fields of a custom resource beyond those that are listed, or that it is of a kind that is not. */
export function unlistedFields(object: KubernetesObject): string[] {
  const listed = FIELDS[kindOf(object)];
  if (!listed) return [`${kindOf(object)}: has no list of fields in custom-fields.yaml`];
  const rules = listed.map(
    (field) => new RegExp(`^${field.replaceAll(/[.[\]]/g, "\\$&").replaceAll("*", "[^]+")}$`),
  );
  const fields = leavesOf(object).filter((path) => !/^(apiVersion|kind|metadata)\b/.test(path));
  return [...new Set(fields)]
    .filter((path) => !rules.some((rule) => rule.test(path)))
    .map((path) => `${path}: is not among the fields of custom-fields.yaml`);
}

/** Paths to what is neither object nor list, as `spec.triggers[].type`. */
export function leavesOf(value: unknown, at = ""): string[] {
  if (Array.isArray(value))
    return value.length === 0 ? [at] : value.flatMap((item) => leavesOf(item, `${at}[]`));
  if (typeof value !== "object" || value === null) return [at];
  const entries = Object.entries(value);
  if (entries.length === 0) return [at];
  return entries.flatMap(([name, item]) => leavesOf(item, at === "" ? name : `${at}.${name}`));
}
