import { Kind } from "graphql";
import type { OperationDefinitionNode } from "graphql";

/** What the audit log calls an operation. */
export interface OperationLabel {
  /** Fields of the root, in their order, once each. */
  target: string | null;
  /** The client's own name for it. */
  operation: string | null;
}

const MOST_FIELDS = 10;
/** The grammar bounds its characters. */
const LONGEST_NAME = 64;

/** By the operation's node, which is the same for the same text. */
const labels = new WeakMap<OperationDefinitionNode, OperationLabel>();

export function labelOf(operation: OperationDefinitionNode): OperationLabel {
  const known = labels.get(operation);
  if (known) return known;
  const fields = operation.selectionSet.selections.map((selection) =>
    selection.kind === Kind.FIELD ? selection.name.value : "...",
  );
  const names = [...new Set(fields)].slice(0, MOST_FIELDS);
  const label = {
    target: names.join(","),
    operation: operation.name?.value.slice(0, LONGEST_NAME) ?? null,
  };
  labels.set(operation, label);
  return label;
}
