import type { GraphQLFormattedError } from "graphql";

/** graphql offers names that are like a wrong one, which tells of a schema that nobody may introspect. */
export function withoutSuggestions(error: GraphQLFormattedError): GraphQLFormattedError {
  return { ...error, message: error.message.replace(/ ?Did you mean .+\?$/s, "") };
}
