import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildClientSchema,
  buildSchema,
  findBreakingChanges,
  getIntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from "graphql";
import type { IntrospectionQuery } from "graphql";
import { startPlatform } from "../support/platform.js";

const root = join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(join(root, "schema", file), "utf8");

test("the committed SDL is the graph that is served", async () => {
  const platform = await startPlatform();
  try {
    const served = buildClientSchema(
      await platform.query<IntrospectionQuery>(getIntrospectionQuery({ specifiedByUrl: true })),
    );
    expect(`${printSchema(lexicographicSortSchema(served))}\n`).toBe(read("schema.graphql"));
  } finally {
    await platform.remove();
  }
});

test("it breaks nothing that was released", () => {
  const changes = findBreakingChanges(
    buildSchema(read("released.graphql")),
    buildSchema(read("schema.graphql")),
  );
  expect(changes.map(({ description }) => description)).toEqual([]);
});

test("a removed field would be noticed", () => {
  const released = buildSchema("type Query { kept: Int gone: Int }");
  expect(findBreakingChanges(released, buildSchema("type Query { kept: Int }"))).toHaveLength(1);
});
