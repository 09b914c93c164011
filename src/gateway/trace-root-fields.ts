import type { MiddlewareFn } from "type-graphql";
import type { RequestContext } from "../modules/identity/index.js";
import { inSpan } from "../telemetry/tracing.js";

/** A span for each field of the operation's root, below the operation's own. */
export const traceRootFields: MiddlewareFn<RequestContext> = ({ info, context }, next) => {
  if (info.path.prev !== undefined) return next();
  const field = () => inSpan(`${info.parentType.name}.${info.fieldName}`, {}, next);
  const { span } = context.operation;
  return span ? span.around(field) : field();
};
