import type { GraphQLField, GraphQLSchema } from "graphql";
import { buildSchema } from "type-graphql";
import type { ClassType } from "type-graphql";
import type { AuditTrail } from "../modules/audit/index.js";
import { DateTimeScalar, JsonScalar } from "../modules/graph/index.js";
import type { RequestContext } from "../modules/identity/index.js";
import { inLogScope } from "../telemetry/logger.js";
import { checkAuthorization } from "./authorization.js";
import { guardFields } from "./guard-fields.js";
import { assertStorable } from "./storable-input.js";
import { traceRootFields } from "./trace-root-fields.js";

/** The one graph, out of the resolvers of all modules. */
export async function buildGraph(
  resolvers: readonly object[],
  { trail, traced }: { trail: AuditTrail; traced: boolean },
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
    globalMiddlewares: traced ? [traceRootFields] : [],
    // The server checks the schema as well when it starts.
    skipCheck: true,
  });
  guardFields(schema);
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) audit(field, trail);
  return schema;
}

/** No mutation goes without an audit entry, and what it causes to be logged, deep below, carries its request's id. */
function audit(mutation: GraphQLField<unknown, RequestContext>, trail: AuditTrail): void {
  const { name, resolve } = mutation;
  mutation.resolve = (root, args: Record<string, unknown>, context, info) => {
    const { caller, requestId, operation } = context;
    operation.audited = true;
    return inLogScope({ requestId }, () =>
      trail.mutation({ actor: caller.subject, requestId }, name, args, async () =>
        resolve?.(root, args, context, info),
      ),
    );
  };
}

function noTopics(): never {
  throw new Error("events are read from the outbox, not published");
}
