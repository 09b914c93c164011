import { readFileSync } from "node:fs";
import type { KubernetesObject } from "./manifests.js";

/** As much of JSON Schema as Kubernetes and its custom resources use. */
export interface Schema {
  type?: string | string[];
  $ref?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  nullable?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

type Definitions = Record<string, Schema>;

/** Schemas of Kubernetes' own kinds, by `apiVersion/Kind`. */
export function readDefinitions(file: string): { kinds: Map<string, Schema>; definitions: Definitions } {
  const { $defs } = JSON.parse(readFileSync(file, "utf8")) as { $defs: Definitions };
  const kinds = new Map<string, Schema>();
  for (const schema of Object.values($defs)) {
    for (const { group, version, kind } of schema["x-kubernetes-group-version-kind"] ?? []) {
      kinds.set(`${group ? `${group}/` : ""}${version}/${kind}`, schema);
    }
  }
  return { kinds, definitions: $defs };
}

export const kindOf = ({ apiVersion, kind }: KubernetesObject): string => `${apiVersion}/${kind}`;

/** What is wrong with a value, field by field; a field that the schema does not name is. */
export function complaintsOf(value: unknown, schema: Schema, at: string, definitions: Definitions): string[] {
  if (schema.$ref) {
    return complaintsOf(value, definitions[schema.$ref.split("/").at(-1)!]!, at, definitions);
  }
  if (value === null && schema.nullable) return [];
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives && !schema["x-kubernetes-int-or-string"] && !schema.properties) {
    const all = alternatives.map((each) => complaintsOf(value, each, at, definitions));
    return all.some((complaints) => complaints.length === 0) ? [] : all[0]!;
  }
  const mismatch = mismatchOf(value, schema);
  if (mismatch) return [`${at}: ${mismatch}`];
  if (Array.isArray(value)) {
    const { items = {} } = schema;
    return value.flatMap((item, i) => complaintsOf(item, items, `${at}[${i}]`, definitions));
  }
  return typeof value === "object" && value !== null
    ? complaintsOfObject(value as Record<string, unknown>, schema, at, definitions)
    : [];
}

function complaintsOfObject(
  value: Record<string, unknown>,
  schema: Schema,
  at: string,
  definitions: Definitions,
): string[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required.filter((name) => !(name in value)).map((name) => `${at}.${name}: is required`);
  const open = schema["x-kubernetes-preserve-unknown-fields"] || additionalProperties === true;
  const free = typeof additionalProperties === "object" ? additionalProperties : undefined;
  // A schema that names nothing says nothing.
  const closed = !open && !free && (schema.properties !== undefined || additionalProperties === false);
  return Object.entries(value).reduce((complaints, [name, item]) => {
    const rule = properties[name] ?? free;
    if (rule) return [...complaints, ...complaintsOf(item, rule, `${at}.${name}`, definitions)];
    return closed ? [...complaints, `${at}.${name}: is no field`] : complaints;
  }, missing);
}

function mismatchOf(value: unknown, schema: Schema): string | undefined {
  const kind = typeOf(value);
  const types = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : [schema.type ?? []].flat();
  const fits = types.length === 0 || types.includes(kind) || (kind === "integer" && types.includes("number"));
  if (!fits) return `must be ${types.join(" or ")}, not ${JSON.stringify(value)}`;
  if (schema.enum && value !== null && !schema.enum.includes(value)) {
    return `must be one of ${schema.enum.join(", ")}, not ${JSON.stringify(value)}`;
  }
  if (typeof value === "string" && schema.pattern && !new RegExp(schema.pattern).test(value)) {
    return `${JSON.stringify(value)} must match ${schema.pattern}`;
  }
  const size = typeof value === "number" ? value : ((value as { length?: number } | null)?.length ?? 0);
  const least = schema.minimum ?? schema.minLength ?? schema.minItems;
  const most = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  if ((least !== undefined && size < least) || (most !== undefined && size > most)) {
    return `must be from ${least ?? "-"} to ${most ?? "-"}, not ${size}`;
  }
  return undefined;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}
