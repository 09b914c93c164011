import { Kind, getNamedType, isInterfaceType, isObjectType } from "graphql";
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from "graphql";
import { InvalidInputError } from "../shared/errors.js";
import { LARGEST_PAGE } from "../shared/pagination.js";

/** Nodes that an answer may hold, were every page as full as was asked for. */
const MOST_NODES = 20_000;

/**
 * Refuses an operation whose nested pages may add up to more than a process should hold: a page of 100 within a
 * page of 100 within a page of 100 is a million nodes. To be asked after the variables are known.
 * @param variables as they came; what is no page size is refused by its field
 * @throws {InvalidInputError}
 */
export function assertAffordable(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): void {
  const root = schema.getRootType(operation.operation)?.name ?? "";
  const count = new NodeCount(schema, document, { ...defaultsOf(operation), ...variables });
  const nodes = count.within(operation.selectionSet, root);
  if (nodes <= MOST_NODES) return;
  throw new InvalidInputError(
    `the operation may answer with ${nodes} nodes, ${MOST_NODES} at most: ask for smaller pages or fewer levels`,
  );
}

function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, unknown> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue?.kind === Kind.INT ? [[variable.name.value, Number(defaultValue.value)]] : [],
    ),
  );
}

class NodeCount {
  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  /** Counts by selection set: fragments are spread many times. 0 while one is being counted, so cycles end. */
  private readonly known = new Map<SelectionSetNode, number>();

  constructor(
    private readonly schema: GraphQLSchema,
    document: DocumentNode,
    private readonly variables: Readonly<Record<string, unknown>>,
  ) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        this.fragments.set(definition.name.value, definition);
      }
    }
  }

  /** Nodes below one object of the type. */
  within(selections: SelectionSetNode, typeName: string): number {
    const known = this.known.get(selections);
    if (known !== undefined) return known;
    this.known.set(selections, 0);
    let nodes = 0;
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) nodes += this.ofField(selection, typeName);
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        nodes += this.within(selection.selectionSet, selection.typeCondition?.name.value ?? typeName);
      } else {
        const fragment = this.fragments.get(selection.name.value);
        if (fragment) nodes += this.within(fragment.selectionSet, fragment.typeCondition.name.value);
      }
    }
    this.known.set(selections, nodes);
    return nodes;
  }

  private ofField(field: FieldNode, typeName: string): number {
    const definition = this.definition(field.name.value, typeName);
    if (!definition || !field.selectionSet) return 0;
    const below = this.within(field.selectionSet, getNamedType(definition.type).name);
    const size = this.pageSize(field, definition);
    return size === undefined ? below : size * (1 + below);
  }

  private definition(name: string, typeName: string): GraphQLField<unknown, unknown> | undefined {
    const type = this.schema.getType(typeName);
    return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
  }

  /** Undefined for what is not paged. */
  private pageSize(field: FieldNode, definition: GraphQLField<unknown, unknown>): number | undefined {
    const first = definition.args.find(({ name }) => name === "first");
    if (!first) return undefined;
    const given = field.arguments?.find(({ name }) => name.value === "first")?.value;
    const asked =
      given?.kind === Kind.INT
        ? Number(given.value)
        : given?.kind === Kind.VARIABLE
          ? this.variables[given.name.value]
          : undefined;
    const size = typeof asked === "number" && asked >= 0 ? asked : Number(first.defaultValue ?? 0);
    // A larger page is refused by its own field, which can say so.
    return Math.min(size, LARGEST_PAGE);
  }
}
