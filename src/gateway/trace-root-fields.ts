import type { MiddlewareFn } from "type-graphql";
import { inSpan } from "../telemetry/tracing.js";

/** A span for each field of the operation's root. */
export const traceRootFields: MiddlewareFn = ({ info }, next) =>
  info.path.prev === undefined ? inSpan(`${info.parentType.name}.${info.fieldName}`, {}, next) : next();
