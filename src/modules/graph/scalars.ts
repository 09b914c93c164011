import { GraphQLError, GraphQLScalarType, Kind, visit } from "graphql";
import type { GraphQLScalarLiteralParser, ValueNode } from "graphql";
import { GraphQLDateTimeISO, GraphQLJSON } from "graphql-scalars";
import { isCalendarDate } from "../../shared/calendar-date.js";

function toCalendarDate(value: unknown): string {
  if (typeof value === "string" && isCalendarDate(value)) return value;
  throw new GraphQLError("a Date is a calendar date such as 2024-12-31");
}

/** A calendar date as text, never an instant: no time zone can move it. */
export const DateScalar = new GraphQLScalarType<string, string>({
  name: "Date",
  description: "A calendar date, YYYY-MM-DD.",
  serialize: toCalendarDate,
  parseValue: toCalendarDate,
  parseLiteral: locating((node) => toCalendarDate(node.kind === Kind.STRING ? node.value : undefined)),
});

const dateTime = GraphQLDateTimeISO.toConfig();

/** RFC 3339 in UTC. */
export const DateTimeScalar = new GraphQLScalarType({
  ...dateTime,
  name: "DateTime",
  description: "An instant, RFC 3339 in UTC.",
  parseLiteral: locating(dateTime.parseLiteral),
});

const WHOLE_NUMBER = /^-?\d{1,40}$/;

/** A bigint only where a number would not be exact. */
function toWhole(value: unknown): number | bigint {
  const isWhole = typeof value === "string" ? WHOLE_NUMBER.test(value) : Number.isInteger(value);
  if (!isWhole && typeof value !== "bigint") {
    throw new GraphQLError("a BigInt is a whole number, as a number or as text");
  }
  const whole = BigInt(value as string | number | bigint);
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
}

/** Whole numbers of any size; text beyond 2^53, where JSON's readers lose digits. */
export const BigIntScalar = new GraphQLScalarType<number | bigint, number | string>({
  name: "BigInt",
  description: "A whole number, as a number or as text; answered as text beyond 2^53.",
  serialize: (value) => {
    const whole = toWhole(value);
    return typeof whole === "bigint" ? String(whole) : whole;
  },
  parseValue: toWhole,
  parseLiteral: locating((node) =>
    toWhole(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : undefined),
  ),
});

const json = GraphQLJSON.toConfig();

export const JsonScalar = new GraphQLScalarType({
  ...json,
  parseLiteral: locating((node, variables) => {
    visit(node, {
      EnumValue: ({ value }) => {
        throw new GraphQLError(`${value} is not JSON; text stands between quotation marks`);
      },
    });
    return json.parseLiteral(node, variables);
  }),
});

/** Errors point at the literal, so that they name its field. */
function locating<T>(parse: GraphQLScalarLiteralParser<T>): GraphQLScalarLiteralParser<T> {
  return (node: ValueNode, variables) => {
    try {
      return parse(node, variables);
    } catch (error) {
      throw new GraphQLError((error as Error).message, { nodes: node });
    }
  };
}
