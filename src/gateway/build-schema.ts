import type { GraphQLField, GraphQLSchema } from "graphql";
import { buildSchema } from "type-graphql";
import type { ClassType } from "type-graphql";
import { DateTimeScalar, JsonScalar } from "../modules/graph/index.js";
import type { RequestContext } from "../modules/identity/index.js";
import { inLogScope } from "../telemetry/logger.js";
import { checkAuthorization } from "./authorization.js";
import { assertStorable } from "./storable-input.js";
import { traceRootFields } from "./trace-root-fields.js";

/** The one graph, out of the resolvers of all modules. */
export async function buildGraph(
  resolvers: readonly object[],
  options: { traced: boolean },
): Promise<GraphQLSchema> {
  const instances = new Map(resolvers.map((resolver) => [resolver.constructor, resolver]));
  const [first, ...others] = resolvers.map((resolver) => resolver.constructor as ClassType);
  if (!first) throw new Error("a graph needs at least one resolver");
  const schema = await buildSchema({
    resolvers: [first, ...others],
    container: { get: (resolver) => instances.get(resolver) },
    authChecker: checkAuthorization,
    scalarsMap: [
      { type: Date, scalar: DateTimeScalar },
      { type: Object, scalar: JsonScalar },
    ],
    // Everything else about input is checked by the services' own rules, which name field and rule.
    validateFn: (_value, _type, { args }) => assertStorable(args),
    // Every subscription reads the outbox; type-graphql wants one of its own all the same.
    pubSub: { publish: noTopics, subscribe: noTopics },
    globalMiddlewares: options.traced ? [traceRootFields] : [],
  });
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) logWithRequestId(field);
  return schema;
}

/** What a mutation causes to be logged, deep below, carries the id of its request. */
function logWithRequestId(mutation: GraphQLField<unknown, RequestContext>): void {
  const { resolve } = mutation;
  mutation.resolve = (root, args, context, info) =>
    inLogScope({ requestId: context.requestId }, async () => resolve?.(root, args, context, info));
}

function noTopics(): never {
  throw new Error("events are read from the outbox, not published");
}
