import { GraphQLError } from "graphql";
import type { ASTVisitor, ValidationContext } from "graphql";

/** Refuses number literals beyond a double's range, which graphql would coerce to infinity. */
export function finiteNumbers(context: ValidationContext): ASTVisitor {
  return {
    FloatValue(node) {
      if (Number.isFinite(Number(node.value))) return;
      context.reportError(new GraphQLError(`${node.value} is beyond the range of a Float`, { nodes: node }));
    },
  };
}
