import { HeaderMap } from "@apollo/server";
import type { GraphQLRequestContext, GraphQLResponse } from "@apollo/server";
import type { GraphQLError } from "graphql";
import type { GraphQLFormattedError, GraphQLSchema, OperationDefinitionNode } from "graphql";
import { compileQuery, isCompiledQuery } from "graphql-jit";
import type { CompiledQuery } from "graphql-jit";
import { LRUCache } from "lru-cache";
import type { RequestContext } from "../modules/identity/index.js";
import { PlatformError } from "../shared/errors.js";
import { formatError } from "./format-error.js";

/** Compiled operations that are kept; each is some kilobytes of code. */
const MOST_COMPILED = 500;
/** Compiling costs milliseconds: worth it for what comes again and again, not for what comes once. */
const COMPILED_AT_USE = 3;

interface Known {
  uses: number;
  /** Undefined while it is rare, null when graphql-jit cannot compile it. */
  compiled?: CompiledQuery["query"] | null;
}

type Answer = { data?: Record<string, unknown> | null; errors?: readonly GraphQLError[] };

/**
 * Runs queries that come often as code made for them, instead of walking document and schema at each call.
 * Whatever a compiled query would answer differently from graphql-js is left to graphql-js: mutations (whose
 * order matters more than their speed), faulty variables, and failures that are not ours.
 */
export class CompiledOperations {
  /** By the operation's node, which is the same for the same text while it is remembered. */
  private readonly known = new LRUCache<OperationDefinitionNode, Known>({ max: MOST_COMPILED });

  constructor(private readonly schema: GraphQLSchema) {}

  /** @returns null when graphql-js is to execute the operation */
  async execute(request: GraphQLRequestContext<RequestContext>): Promise<GraphQLResponse | null> {
    const run = this.compiled(request);
    if (!run) return null;
    const { data, errors } = (await run(
      undefined,
      request.contextValue,
      request.request.variables ?? {},
    )) as Answer;
    if (data === undefined) return null;
    if (errors && !errors.every(isOurs)) return null;
    const singleResult = errors
      ? { data, errors: errors.map((error) => translate(error, request.contextValue.requestId)) }
      : { data };
    return {
      body: { kind: "single", singleResult },
      http: { status: undefined, headers: new HeaderMap() },
    };
  }

  private compiled({ operation, document }: GraphQLRequestContext<RequestContext>): Known["compiled"] {
    if (operation?.operation !== "query" || !document) return undefined;
    const known = this.known.get(operation) ?? { uses: 0 };
    known.uses++;
    if (known.uses === 1) this.known.set(operation, known);
    if (known.compiled === undefined && known.uses >= COMPILED_AT_USE) {
      // graphql-jit writes answers as object literals, where the alias __proto__ is no field.
      const faithful = !document.loc?.source.body.includes("__proto__");
      const result = faithful && compileQuery(this.schema, document, operation.name?.value);
      known.compiled = result && isCompiledQuery(result) ? result.query : null;
    }
    return known.compiled;
  }
}

/** Failures of the platform keep their place in the answer; all else needs the engine's own account of it. */
function isOurs(error: GraphQLError): boolean {
  return error.originalError instanceof PlatformError;
}

function translate(error: GraphQLError, requestId: string): GraphQLFormattedError {
  const { message, locations, path } = error;
  return formatError({ message, locations, path }, error, requestId);
}
