import { readdirSync, readFileSync } from "node:fs";
import { buildSchema, Kind, parse, validate } from "graphql";

const SCHEMA = new URL("../../../schema/schema.graphql", import.meta.url);
const OPERATIONS = new URL("../../../schema/operations/", import.meta.url);

const schema = buildSchema(readFileSync(SCHEMA, "utf8"));
const files = readdirSync(OPERATIONS).sort();

function pascalCase(file: string): string {
  return file
    .replace(/\.graphql$/, "")
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

test.each(files)("%s holds one operation, named after the file, that the graph can answer", (file) => {
  const document = parse(readFileSync(new URL(file, OPERATIONS), "utf8"));
  const [operation] = document.definitions;
  expect(document.definitions).toHaveLength(1);
  expect(operation?.kind === Kind.OPERATION_DEFINITION && operation.name?.value).toBe(pascalCase(file));
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
});
