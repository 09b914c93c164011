export { PageArgs, PageInfo, connectionType, toConnection } from "./connection.type.js";
export type { Connection } from "./connection.type.js";
export { Metric, MetricInput, Parameter, ParameterInput, Tag, TagInput } from "./named-value.types.js";
export { NodeResolver } from "./node.resolver.js";
export type { NodeSource } from "./node.resolver.js";
export { Node } from "./node.type.js";
export { BigIntScalar, DateScalar, DateTimeScalar, JsonScalar } from "./scalars.js";
