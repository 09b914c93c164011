import { Kind } from "graphql";
import type {
  DefinitionNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  OperationDefinitionNode,
  SelectionSetNode,
} from "graphql";
import { InvalidInputError } from "../shared/errors.js";

/** The largest document that is looked at any further. */
export interface DocumentLimits {
  tokens: number;
  depth: number;
  aliases: number;
  directives: number;
  rootFields: number;
}

/** On the average of a document: a name of the graph, a space, or a passage of text in a few of them. */
const CHARACTERS_OF_TOKEN = 64;

/** What a selection comes to, fragments counted as often as they are spread. */
interface Extent {
  depth: number;
  aliases: number;
  directives: number;
  /** On its own level. */
  fields: number;
}

const NOTHING: Extent = { depth: 0, aliases: 0, directives: 0, fields: 0 };

/**
 * Refuses a document that would be dear to validate, let alone to run; in time linear in its length.
 * Introspection counts as one field: its standard query is fifteen levels deep.
 * @throws {InvalidInputError} naming the rule, the limit and what the document has
 */
export function assertWithinLimits(document: DocumentNode, limits: DocumentLimits): void {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  assertAtMost("operations", operations.length, 1);
  const measure = new Measure(document);
  for (const definition of document.definitions) {
    if (!isSelecting(definition) || isAboutSchema(definition)) continue;
    const extent = measure.of(definition.selectionSet);
    assertAtMost("levels", extent.depth, limits.depth, "ML_MAX_DEPTH");
    assertAtMost("aliases", extent.aliases, limits.aliases, "ML_MAX_ALIASES");
    const directives = extent.directives + (definition.directives?.length ?? 0);
    assertAtMost("directives", directives, limits.directives, "ML_MAX_DIRECTIVES");
    if (definition.kind === Kind.OPERATION_DEFINITION) {
      assertAtMost("root fields", extent.fields, limits.rootFields, "ML_MAX_ROOT_FIELDS");
    }
  }
}

/**
 * Refuses a text that is longer than its tokens can need, before it is parsed: comments count as none.
 * @throws {InvalidInputError}
 */
export function assertNotTooLong(text: string, { tokens }: DocumentLimits): void {
  assertAtMost("characters", text.length, tokens * CHARACTERS_OF_TOKEN, "ML_MAX_TOKENS");
}

function assertAtMost(what: string, found: number, limit: number, variable?: string): void {
  if (found <= limit) return;
  const source = variable === undefined ? "" : ` (${variable})`;
  throw new InvalidInputError(`the document has ${found} ${what}, ${limit} at most${source}`);
}

class Measure {
  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  /** By selection set; nothing while one is being measured, so cycles end. */
  private readonly known = new Map<SelectionSetNode, Extent>();

  constructor(document: DocumentNode) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        this.fragments.set(definition.name.value, definition);
      }
    }
  }

  of(selections: SelectionSetNode): Extent {
    const known = this.known.get(selections);
    if (known) return known;
    this.known.set(selections, NOTHING);
    const extent = { ...NOTHING };
    for (const selection of selections.selections) {
      extent.directives += selection.directives?.length ?? 0;
      if (selection.kind === Kind.FIELD) {
        add(extent, this.ofField(selection));
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        add(extent, this.of(selection.selectionSet));
      } else {
        const fragment = this.fragments.get(selection.name.value);
        if (!fragment) continue;
        extent.directives += fragment.directives?.length ?? 0;
        add(extent, this.of(fragment.selectionSet));
      }
    }
    this.known.set(selections, extent);
    return extent;
  }

  private ofField({ name, alias, selectionSet }: FieldNode): Extent {
    const below = selectionSet && !isIntrospection(name.value) ? this.of(selectionSet) : NOTHING;
    return {
      depth: below.depth + 1,
      aliases: below.aliases + (alias ? 1 : 0),
      directives: below.directives,
      fields: 1,
    };
  }
}

function isSelecting(
  definition: DefinitionNode,
): definition is OperationDefinitionNode | FragmentDefinitionNode {
  return definition.kind === Kind.OPERATION_DEFINITION || definition.kind === Kind.FRAGMENT_DEFINITION;
}

function isAboutSchema(definition: OperationDefinitionNode | FragmentDefinitionNode): boolean {
  return definition.kind === Kind.FRAGMENT_DEFINITION && definition.typeCondition.name.value.startsWith("__");
}

function isIntrospection(field: string): boolean {
  return field === "__schema" || field === "__type";
}

function add(extent: Extent, part: Extent): void {
  extent.depth = Math.max(extent.depth, part.depth);
  extent.aliases += part.aliases;
  extent.directives += part.directives;
  extent.fields += part.fields;
}
