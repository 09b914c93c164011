import { documentFilterSql, toDocumentFilter } from "../../../src/modules/search/document-filter.rules.js";
import { InvalidInputError } from "../../../src/shared/errors.js";

test("becomes a condition whose placeholders start where the statement's own end", () => {
  const filter = toDocumentFilter(
    {
      metadata: { commodity: ["gas", "power"], "it's": 3 },
      publishedFrom: new Date("2026-01-01T00:00:00Z"),
    },
    "input.filter",
  );
  expect(documentFilterSql(filter, "d", 3)).toEqual({
    sql:
      "(d.metadata @> $3::jsonb OR d.metadata @> $4::jsonb) AND (d.metadata @> $5::jsonb) " +
      "AND d.published_at >= $6",
    parameters: [
      '{"commodity":"gas"}',
      '{"commodity":"power"}',
      `{"it's":3}`,
      new Date("2026-01-01T00:00:00Z"),
    ],
  });
});

test.each([null, undefined, {}, { metadata: null }, { metadata: {} }])(
  "%j keeps every document",
  (filter) => {
    const read = toDocumentFilter(filter, "filter");
    expect(documentFilterSql(read, "d", 1)).toEqual({ sql: "TRUE", parameters: [] });
  },
);

const date = (text: string) => new Date(text);

test.each<[object, string]>([
  [{ metadata: "gas" }, "filter.metadata"],
  [{ metadata: ["gas"] }, "filter.metadata"],
  [{ metadata: { commodity: { name: "gas" } } }, "filter.metadata.commodity"],
  [{ metadata: { commodity: ["gas", ["power"]] } }, "filter.metadata.commodity.1"],
  [{ metadata: { commodity: [] } }, "filter.metadata.commodity"],
  [{ metadata: { commodity: new Array(101).fill("gas") } }, "filter.metadata.commodity"],
  [{ metadata: { price: Infinity } }, "filter.metadata.price"],
  [{ metadata: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`key${i}`, i])) }, "filter.metadata"],
  [
    { publishedFrom: date("2026-02-01T00:00:00Z"), publishedTo: date("2026-01-01T00:00:00Z") },
    "filter.publishedTo",
  ],
  [{ publishedFrom: date("0000-01-01T00:00:00Z") }, "filter.publishedFrom"],
])("%j is refused at %s", (filter, field) => {
  expect(() => toDocumentFilter(filter, "filter")).toThrow(
    expect.objectContaining({ field, code: "INVALID_INPUT" }),
  );
  expect(() => toDocumentFilter(filter, "filter")).toThrow(InvalidInputError);
});
