import { ApolloServer } from "@apollo/server";
import type { ApolloServerPlugin } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import { ApolloServerPluginLandingPageLocalDefault } from "@apollo/server/plugin/landingPage/default";
import { GraphQLError } from "graphql";
import type { DocumentNode, GraphQLSchema } from "graphql";
import type { AuditTrail } from "../modules/audit/index.js";
import type { RequestContext } from "../modules/identity/index.js";
import type { Database } from "../ports/database.js";
import { openSpan } from "../telemetry/tracing.js";
import { labelOf } from "./audited-operations.js";
import { CompiledOperations } from "./compiled-operations.js";
import { codesOf, formatError } from "./format-error.js";
import { nameFieldsOfVariables } from "./input-path.js";
import { withoutSuggestions } from "./suggestions.js";

/** Apollo Server over the graph, with what it does not need switched off. */
export function createApollo(
  schema: GraphQLSchema,
  options: {
    explorer: boolean;
    database: Pick<Database, "acknowledge">;
    trail: AuditTrail;
  },
): ApolloServer<RequestContext> {
  return new ApolloServer<RequestContext>({
    schema,
    // They come parsed and checked, before Apollo sees the request.
    documentStore: null,
    introspection: options.explorer,
    nodeEnv: "production",
    formatError: (formatted, error) => {
      const told = formatError(formatted, error, requestOf.get(error as object));
      return options.explorer ? told : withoutSuggestions(told);
    },
    includeStacktraceInErrorResponses: false,
    persistedQueries: false,
    allowBatchedHttpRequests: false,
    csrfPrevention: true,
    stopOnTerminationSignals: false,
    plugins: [
      options.explorer
        ? ApolloServerPluginLandingPageLocalDefault({ embed: true, footer: false })
        : ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      operationDetails(schema),
      callersReadTheirWrites(options.database),
      auditedOperations(options.trail),
    ],
  });
}

/** Which request failed, for the log: Apollo's formatter is not told. */
const requestOf = new WeakMap<object, string>();

/** Tells the request what operation it is, and coercion errors which field they concern. */
function operationDetails(schema: GraphQLSchema): ApolloServerPlugin<RequestContext> {
  const operations = new CompiledOperations(schema);
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveSource: (request) => {
          // What was admitted is what runs: Apollo neither parses a document nor reads variables of its own.
          const { document, variables } = request.contextValue.operation;
          (request as { document?: DocumentNode }).document = document;
          request.request.variables = variables;
          return Promise.resolve();
        },
        didResolveOperation: ({ operation, document, contextValue }) => {
          const type = operation?.operation;
          contextValue.operation.type = type;
          if (type === "subscription")
            throw new GraphQLError("subscriptions are served over WebSocket, graphql-transport-ws", {
              extensions: { http: { status: 400 } },
            });
          // Whatever found a way around the gate ends here.
          if (document !== contextValue.operation.document) throw new Error("the document was not admitted");
          // The operation's type names its span: its own name is the client's word, and unbounded.
          if (type) contextValue.operation.span = openSpan(type, { "graphql.operation.type": type });
          return Promise.resolve();
        },
        willSendResponse: ({ contextValue: { operation }, response: { body } }) => {
          operation.span?.end();
          operation.failures ??= body.kind === "single" ? codesOf(body.singleResult.errors) : [];
          return Promise.resolve();
        },
        responseForOperation: (request) => operations.execute(request),
        didEncounterErrors: ({ errors, document, request, contextValue }) => {
          for (const error of errors) requestOf.set(error, contextValue.requestId);
          if (document) nameFieldsOfVariables(errors, schema, document, request.variables ?? {});
          return Promise.resolve();
        },
      }),
  };
}

/** Queries may read from replicas; an answer to a mutation promises that they will know of it. */
function callersReadTheirWrites(database: Pick<Database, "acknowledge">): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation: ({ operation, contextValue: { caller, operation: own } }) => {
          if (operation?.operation === "query" && own.served) own.served.readsAs = caller.subject;
          return Promise.resolve();
        },
        willSendResponse: async ({
          operation,
          contextValue: { caller, requestId, operation: own },
          response,
        }) => {
          if (operation?.operation !== "mutation") return;
          await database.acknowledge(caller.subject).catch((error: Error) => {
            // What was done stays done: as where a connection breaks in COMMIT, the caller cannot know.
            const errors = [formatError({ message: error.message }, error, requestId)];
            own.failures = codesOf(errors);
            response.body = { kind: "single", singleResult: { data: null, errors } };
          });
        },
      }),
  };
}

/** What was asked, and what was refused before it could do anything; mutations that run see to their own entries. */
function auditedOperations(trail: AuditTrail): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: () => {
      const began = performance.now();
      return Promise.resolve({
        willSendResponse: ({ operation, response: { body }, contextValue }) => {
          const { caller, requestId, operation: own } = contextValue;
          if (own.audited) return Promise.resolve();
          const errors = body.kind === "single" ? body.singleResult.errors : undefined;
          trail.operated({
            ...{ actor: caller.subject, requestId, action: operation?.operation ?? "query" },
            ...(operation ? labelOf(operation) : { target: null, operation: null }),
            outcome: codesOf(errors)[0] ?? "OK",
            durationMs: performance.now() - began,
          });
          return Promise.resolve();
        },
      });
    },
  };
}
