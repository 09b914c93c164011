import {
  Kind,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  visit,
  BREAK,
} from "graphql";
import type {
  ASTNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from "graphql";
import { LARGEST_PAGE } from "../shared/pagination.js";

/** Points for one object of an answer; everything else is measured by it. */
export const NODE_POINTS = 1 / 20;

type Arguments = Record<string, unknown>;

/** Points of fields that do more than read, beside their objects. */
const WEIGHTS: Record<string, number | ((args: Arguments) => number) | undefined> = {
  "Query.predict": 1,
  "Query.forecast": 2,
  "Query.search": 2,
  "Query.auditVerification": 200,
  "Query.embed": (args) => 0.5 * itemsOf(args, "texts"),
};
/** For each `totalCount`, whatever its page holds. */
const COUNT_POINTS = 0.5;
const SUBSCRIPTION_POINTS = 1;
/** And a node for each item of the lists that it brings. */
const MUTATION_POINTS = 5;

/**
 * What operations cost, in points, were every page as full as was asked for. Fields under `@skip` and `@include`
 * count; so does each of several fragments of which only one can match.
 */
export class OperationCosts {
  /** Of operations whose cost depends on no variable; undefined of those where it does. */
  private readonly fixed = new WeakMap<OperationDefinitionNode, number | undefined>();

  constructor(private readonly schema: GraphQLSchema) {}

  /**
   * @param variables as they came; those that cannot be coerced are refused when the operation is run
   * @returns never less than a node
   */
  of(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Readonly<Record<string, unknown>>,
  ): number {
    const fixed = this.fixed.get(operation);
    if (fixed !== undefined) return fixed;
    const count = new PointsCount(this.schema, document, operation, variables);
    const root = this.schema.getRootType(operation.operation)?.name ?? "";
    const points = Math.max(NODE_POINTS, count.within(operation.selectionSet, root));
    if (!count.variablesMatter) this.fixed.set(operation, points);
    return points;
  }
}

/** By selection set: fragments are spread many times. 0 while one is being counted, so cycles end. */
type KnownPoints = Map<SelectionSetNode, number>;

class PointsCount {
  variablesMatter = false;

  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  private readonly known: KnownPoints = new Map();
  private readonly knownCounts: KnownPoints = new Map();
  private coerced?: Record<string, unknown>;

  constructor(
    private readonly schema: GraphQLSchema,
    document: DocumentNode,
    private readonly operation: OperationDefinitionNode,
    private readonly variables: Readonly<Record<string, unknown>>,
  ) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        this.fragments.set(definition.name.value, definition);
      }
    }
  }

  /** Points below one object of the type. */
  within(selections: SelectionSetNode, typeName: string): number {
    return this.sum(selections, typeName, this.known, (field, type) => this.ofField(field, type));
  }

  /** What a page is asked for once, however many items it has. */
  private countsWithin(selections: SelectionSetNode, typeName: string): number {
    return this.sum(selections, typeName, this.knownCounts, ({ name }) =>
      name.value === "totalCount" ? COUNT_POINTS : 0,
    );
  }

  private sum(
    selections: SelectionSetNode,
    typeName: string,
    known: KnownPoints,
    ofField: (field: FieldNode, typeName: string) => number,
  ): number {
    const found = known.get(selections);
    if (found !== undefined) return found;
    known.set(selections, 0);
    const within = (inner: SelectionSetNode, type: string) => this.sum(inner, type, known, ofField);
    let points = 0;
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) points += ofField(selection, typeName);
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        points += within(selection.selectionSet, selection.typeCondition?.name.value ?? typeName);
      } else {
        const fragment = this.fragments.get(selection.name.value);
        if (fragment) points += within(fragment.selectionSet, fragment.typeCondition.name.value);
      }
    }
    known.set(selections, points);
    return points;
  }

  private ofField(field: FieldNode, typeName: string): number {
    const definition = this.definition(field.name.value, typeName);
    if (!definition) return 0;
    const type = getNamedType(definition.type);
    const own = this.weight(field, definition, typeName) + (isCompositeType(type) ? NODE_POINTS : 0);
    if (!field.selectionSet) return own;
    const below = this.within(field.selectionSet, type.name);
    const size = this.pageSize(field, definition);
    if (size !== undefined) {
      return own + size * (NODE_POINTS + below) + this.countsWithin(field.selectionSet, type.name);
    }
    return isPartOfPage(typeName, field.name.value) ? below : own + below;
  }

  private definition(name: string, typeName: string): GraphQLField<unknown, unknown> | undefined {
    const type = this.schema.getType(typeName);
    return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
  }

  private weight(field: FieldNode, definition: GraphQLField<unknown, unknown>, typeName: string): number {
    if (typeName === this.schema.getSubscriptionType()?.name) return SUBSCRIPTION_POINTS;
    if (typeName === this.schema.getMutationType()?.name) {
      return MUTATION_POINTS + NODE_POINTS * itemsOf(this.argumentsOf(field, definition));
    }
    const weight = WEIGHTS[`${typeName}.${field.name.value}`];
    if (typeof weight === "function") return weight(this.argumentsOf(field, definition));
    return weight ?? 0;
  }

  /** Undefined for what is not paged. */
  private pageSize(field: FieldNode, definition: GraphQLField<unknown, unknown>): number | undefined {
    const first = definition.args.find(({ name }) => name === "first");
    if (!first) return undefined;
    const given = field.arguments?.filter(({ name }) => name.value === "first") ?? [];
    const { first: asked } = this.argumentsOf(
      { ...field, arguments: given },
      { ...definition, args: [first] },
    );
    const size = typeof asked === "number" && asked >= 0 ? asked : Number(first.defaultValue ?? LARGEST_PAGE);
    // A larger page is refused by its own field, which can say so.
    return Math.min(size, LARGEST_PAGE);
  }

  private argumentsOf(field: FieldNode, definition: GraphQLField<unknown, unknown>): Arguments {
    const byVariable = field.arguments?.some(usesVariable) ?? false;
    if (byVariable) this.variablesMatter = true;
    try {
      return getArgumentValues(definition, field, byVariable ? this.coercedVariables() : {});
    } catch {
      // Refused when it is run, with a better account of what is wrong.
      return {};
    }
  }

  private coercedVariables(): Record<string, unknown> {
    const definitions = this.operation.variableDefinitions ?? [];
    return (this.coerced ??= getVariableValues(this.schema, definitions, this.variables).coerced ?? {});
  }
}

function usesVariable(argument: ASTNode): boolean {
  let found = false;
  visit(argument, {
    Variable: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}

/** `edges`, `node` and `pageInfo`, which were counted with the page. */
function isPartOfPage(typeName: string, field: string): boolean {
  return (
    (typeName.endsWith("Connection") && field !== "facets") || (typeName.endsWith("Edge") && field === "node")
  );
}

/** Items of the lists in `input`: of one, or of all of them. */
function itemsOf({ input }: Arguments, name?: string): number {
  if (typeof input !== "object" || input === null) return 0;
  const lists = name === undefined ? Object.values(input) : [(input as Record<string, unknown>)[name]];
  return lists.reduce<number>((items, list) => items + (Array.isArray(list) ? list.length : 0), 0);
}
