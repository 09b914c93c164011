import { Kind, coerceInputValue, isInputType, parse, typeFromAST, visit } from "graphql";
import type {
  ASTNode,
  DocumentNode,
  GraphQLError,
  GraphQLSchema,
  NamedTypeNode,
  VariableDefinitionNode,
} from "graphql";

/**
 * Path of the input that a validation error points at, e.g. `input.horizons.2`: the names of the
 * argument and fields around the first node that it names.
 */
export function fieldOfNode(error: GraphQLError): string | undefined {
  const target = error.nodes?.[0];
  const body = error.source?.body ?? target?.loc?.source.body;
  const start = target?.loc?.start;
  if (!target || body === undefined || start === undefined) return undefined;
  let found: string | undefined;
  visit(parse(body), {
    enter(node, _key, parent, _path, ancestors) {
      if (node.kind === target.kind && node.loc?.start === start)
        found ??= inputPath([...ancestors, parent ?? [], node]);
    },
  });
  return found === "" ? undefined : found;
}

/** Names of the argument, fields and list positions among a node's ancestors, joined by dots. */
function inputPath(lineage: readonly (ASTNode | readonly ASTNode[])[]): string {
  const parts: string[] = [];
  lineage.forEach((step, i) => {
    if (Array.isArray(step)) {
      const list = lineage[i - 1];
      const child = lineage[i + 1] as ASTNode | undefined;
      if (!Array.isArray(list) && (list as ASTNode).kind === Kind.LIST && child)
        parts.push(String(step.indexOf(child)));
      return;
    }
    const node = step as ASTNode;
    if (node.kind === Kind.ARGUMENT || node.kind === Kind.OBJECT_FIELD) parts.push(node.name.value);
  });
  return parts.join(".");
}

/**
 * Adds `extensions.field` to errors of variable coercion. graphql reports these in words only, one for each
 * problem in order, so the coercion is done once more for the paths.
 */
export function nameFieldsOfVariables(
  errors: readonly GraphQLError[],
  schema: GraphQLSchema,
  document: DocumentNode,
  values: Readonly<Record<string, unknown>>,
): void {
  const fields = new Map<string, string[]>();
  for (const error of errors) {
    const [definition] = error.nodes ?? [];
    if (definition?.kind !== Kind.VARIABLE_DEFINITION) continue;
    const name = definition.variable.name.value;
    const paths = fields.get(name) ?? faultyPaths(schema, document, definition, values[name]);
    fields.set(name, paths);
    error.extensions.field = paths.shift() ?? pathOfVariable(document, name);
  }
}

function faultyPaths(
  schema: GraphQLSchema,
  document: DocumentNode,
  { variable, type: typeNode }: VariableDefinitionNode,
  value: unknown,
): string[] {
  const type = typeFromAST(schema, typeNode as NamedTypeNode);
  if (!isInputType(type) || value === undefined) return [];
  const prefix = pathOfVariable(document, variable.name.value);
  const paths: string[] = [];
  coerceInputValue(value, type, (path, _value, error) => {
    const inner = fieldInQuotes(error.message);
    paths.push([prefix, ...path.map(String), ...(inner === undefined ? [] : [inner])].join("."));
  });
  return paths;
}

/** A missing or unknown field is reported at its parent, its name in quotes. */
function fieldInQuotes(message: string): string | undefined {
  return /^Field "([^"]+)"/.exec(message)?.[1];
}

/** Where the operation uses a variable first: the argument, and the fields within. */
export function pathOfVariable(document: DocumentNode, name: string): string {
  let found: string | undefined;
  visit(document, {
    Variable(node, _key, parent, _path, ancestors) {
      if (node.name.value !== name) return;
      const path = inputPath([...ancestors, parent ?? []]);
      if (path !== "") found ??= path;
    },
  });
  return found ?? name;
}
