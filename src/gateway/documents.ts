import {
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from "graphql";
import { LRUCache } from "lru-cache";
import { PlatformError } from "../shared/errors.js";
import { assertNotTooLong, assertWithinLimits } from "./document-limits.js";
import type { DocumentLimits } from "./document-limits.js";
import { finiteNumbers } from "./finite-numbers.js";

const DOCUMENTS_KEPT = 1_000;
/** Of all texts that are kept; a parsed document takes some thirty times as much. */
const CHARACTERS_KEPT = 1024 * 1024;
/** A client reads the first ones; a faulty document can have hundreds. */
const MOST_ERRORS = 10;

/** A text that may be run as far as itself is concerned. */
export interface CheckedDocument {
  document: DocumentNode;
  /** Its only one. */
  operation: OperationDefinitionNode;
  text: string;
}

/** What is wrong with a text. */
export class RefusedDocumentError extends Error {
  /** @param document where it could be read at all */
  constructor(
    readonly errors: readonly GraphQLError[],
    readonly document?: DocumentNode,
  ) {
    super(errors[0]?.message);
  }
}

/** Parses and checks what clients send, once each. */
export class Documents {
  private readonly checked = new LRUCache<string, CheckedDocument>({
    max: DOCUMENTS_KEPT,
    maxSize: CHARACTERS_KEPT,
    sizeCalculation: (_document, text) => text.length + 1,
  });
  private readonly rules;

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly limits: DocumentLimits,
    { introspection }: { introspection: boolean },
  ) {
    const closed = introspection ? [] : [NoSchemaIntrospectionCustomRule];
    this.rules = [...specifiedRules, finiteNumbers, ...closed];
  }

  /** @throws {RefusedDocumentError} */
  check(text: string): CheckedDocument {
    const known = this.checked.get(text);
    if (known) return known;
    const document = this.parse(text);
    const errors = validate(this.schema, document, this.rules, { maxErrors: MOST_ERRORS });
    if (errors.length > 0) throw new RefusedDocumentError(errors, document);
    const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    if (operation?.kind !== Kind.OPERATION_DEFINITION) {
      throw new RefusedDocumentError([new GraphQLError("the document has no operation")]);
    }
    const checked = { document, operation, text };
    this.checked.set(text, checked);
    return checked;
  }

  /** One that was checked not long ago. */
  byText(text: string): DocumentNode | undefined {
    return this.checked.get(text)?.document;
  }

  private parse(text: string): DocumentNode {
    try {
      assertNotTooLong(text, this.limits);
      const document = parse(text, { maxTokens: this.limits.tokens });
      // Before validation, some of whose rules take the square of a document's length.
      assertWithinLimits(document, this.limits);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError) throw new RefusedDocumentError([error]);
      if (!(error instanceof PlatformError)) throw error;
      throw new RefusedDocumentError([new GraphQLError(error.message, { originalError: error })]);
    }
  }
}
