import { GraphQLError, GraphQLScalarType, Kind } from "graphql";
import { GraphQLBigInt, GraphQLDateTimeISO, GraphQLJSON } from "graphql-scalars";

const CALENDAR_DATE = /^\d{4}-\d{2}-\d{2}$/;

function toCalendarDate(value: unknown): string {
  if (typeof value === "string" && CALENDAR_DATE.test(value)) {
    const parsed = new Date(`${value}T00:00:00Z`);
    if (!Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(value)) return value;
  }
  throw new GraphQLError("a Date is a calendar date such as 2024-12-31");
}

/** A calendar date as text, never an instant: no time zone can move it. */
export const DateScalar = new GraphQLScalarType<string, string>({
  name: "Date",
  description: "A calendar date, YYYY-MM-DD.",
  serialize: toCalendarDate,
  parseValue: toCalendarDate,
  parseLiteral: (node) => toCalendarDate(node.kind === Kind.STRING ? node.value : undefined),
});

/** RFC 3339 in UTC. */
export const DateTimeScalar = new GraphQLScalarType({
  ...GraphQLDateTimeISO.toConfig(),
  name: "DateTime",
  description: "An instant, RFC 3339 in UTC.",
});

export const JsonScalar = GraphQLJSON;
export const BigIntScalar = GraphQLBigInt;
