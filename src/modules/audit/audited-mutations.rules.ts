import { parseNodeId } from "../../shared/node-id.js";

/** What of a mutation's input its entry may show. */
interface AuditedMutation {
  /** What it is about: text with names of input fields in braces. Each names or numbers something, or is an id. */
  target: string;
  /** Input fields whose values tell what was asked for: numbers, flags, choices and names of things, never free text. */
  shows: readonly string[];
}

/** By the name of the mutation; whatever else its input holds appears by the field's name alone. */
export const auditedMutations: Readonly<Record<string, AuditedMutation>> = {
  registerModel: { target: "model:{name}", shows: ["kind"] },
  createModelVersion: { target: "model:{model}", shows: ["sha256", "bytes"] },
  completeModelVersion: { target: "model:{model}#{number}", shows: [] },
  promoteModelVersion: { target: "model:{model}#{number}", shows: ["stage", "expectedCurrent"] },
  rollbackModel: { target: "model:{model}", shows: ["expectedCurrent"] },
  protectModelVersion: { target: "model:{model}#{number}", shows: ["protected"] },
  defineCurve: { target: "curve:{name}", shows: ["kind", "tenors"] },
  recordCurve: { target: "curve:{curve}", shows: [] },
  startTraining: { target: "model:{model}", shows: ["curve", "type", "horizons", "from", "to", "seed"] },
  trainEmbedder: { target: "model:{model}", shows: ["collection", "dimensions", "seed"] },
  cancelTraining: { target: "run:{id run}", shows: [] },
  createCollection: { target: "collection:{name}", shows: ["embedder", "language"] },
  setCollectionEmbedder: { target: "collection:{collection}", shows: ["embedder"] },
  reindexCollection: { target: "collection:{collection}", shows: [] },
  ingestDocuments: { target: "collection:{collection}", shows: [] },
  deleteDocuments: { target: "collection:{collection}", shows: [] },
  retryJob: { target: "job:{id job}", shows: [] },
  cancelJob: { target: "job:{id job}", shows: [] },
  startBackup: { target: "backups", shows: [] },
  startMirror: { target: "mirror", shows: ["verify"] },
  startCleanup: { target: "artifacts", shows: ["days", "dryRun"] },
  startVacuum: { target: "database", shows: [] },
  startRestoreTest: { target: "backups", shows: ["backup"] },
  createApiKey: { target: "key:{name}", shows: ["roles", "grants", "expiresInDays"] },
  rotateApiKey: { target: "key:{id id}", shows: ["overlapDays"] },
  revokeApiKey: { target: "key:{id id}", shows: [] },
  setFourEyes: { target: "model:{model}", shows: ["required"] },
  withdrawPromotion: { target: "transition:{id transition}", shows: [] },
  approvePromotion: { target: "transition:{id transition}", shows: [] },
};

/** What names of things look like; anything else is not repeated. */
const NAME = /^[A-Za-z0-9][\w.:/@+-]{0,127}$/;
/** Fields within input that name things, by what their values look like. */
const INNER: Readonly<Record<string, RegExp>> = {
  permission: NAME,
  modelPattern: /^[a-z0-9_*-]{1,64}$/,
  stage: NAME,
};
const MOST_LISTED = 50;

/** Target and detail of a mutation's entry, by what the table above lets it show. */
export function describeMutation(
  name: string,
  args: Readonly<Record<string, unknown>>,
): { target: string | null; detail: Record<string, unknown> } {
  const policy = auditedMutations[name];
  const input = inputOf(args);
  const named = new Set(policy?.target.match(/\w+(?=\})/g) ?? []);
  const shown: Record<string, unknown> = {};
  const withheld: string[] = [];
  for (const [field, value] of Object.entries(input)) {
    if (named.has(field) || value == null) continue;
    if (policy?.shows.includes(field)) shown[field] = presentable(value);
    else withheld.push(field);
  }
  return {
    target:
      policy?.target.replaceAll(/\{(id )?(\w+)\}/g, (_all, isId: string | undefined, field: string) =>
        isId ? idPart(input[field]) : namePart(input[field]),
      ) ?? null,
    detail: {
      ...(Object.keys(shown).length > 0 ? { input: shown } : {}),
      ...(withheld.length > 0 ? { withheld: withheld.sort() } : {}),
    },
  };
}

function inputOf({ input, ...others }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...others, ...(typeof input === "object" && input !== null ? input : {}) };
}

/** The id within a node's id, which tells people nothing. */
function idPart(value: unknown): string {
  return (typeof value === "string" ? parseNodeId(value)?.id : undefined) ?? "?";
}

function namePart(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && NAME.test(value) ? value : "?";
}

function presentable(value: unknown, shape = NAME): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return String(value);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "string") return shape.test(value) ? value : "?";
  if (Array.isArray(value)) return value.slice(0, MOST_LISTED).map((item) => presentable(item));
  return typeof value === "object" && value !== null ? namesWithin(value) : "?";
}

function namesWithin(value: object): object {
  const known = Object.entries(value).filter(
    ([field, inner]) => Object.hasOwn(INNER, field) && inner != null,
  );
  return Object.fromEntries(known.map(([field, inner]) => [field, presentable(inner, INNER[field])]));
}
