import { NotFoundError } from "./errors.js";

/** Opaque global id of a node: its type's name and its own id. */
export function toNodeId(type: string, id: string | number): string {
  return Buffer.from(`${type}:${id}`).toString("base64url");
}

/** Type and id of a node, or undefined when it is no id of ours. */
export function parseNodeId(nodeId: string): { type: string; id: string } | undefined {
  const match = /^([A-Za-z]+):(.+)$/.exec(Buffer.from(nodeId, "base64url").toString("utf8"));
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const form = NUMBERED.get(match[1]) ?? UUID;
  return form.test(match[2]) ? { type: match[1], id: match[2] } : undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Types that the database numbers; as many digits as their columns surely hold. */
const NUMBERED = new Map([
  ["Collection", /^[1-9]\d{0,8}$/],
  ["Document", /^[1-9]\d{0,14}$/],
  ["AuditEntry", /^[1-9]\d{0,14}$/],
]);

/** @throws {NotFoundError} when the id is not one of that type */
export function requireNodeOfType(nodeId: string, type: string, field: string): string {
  const node = parseNodeId(nodeId);
  if (node?.type !== type) throw new NotFoundError(`${field}: no such ${type}`, { field });
  return node.id;
}
