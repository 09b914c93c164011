import "reflect-metadata";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  buildSchema,
  graphqlSync,
  isObjectType,
} from "graphql";
import { guardFields } from "../../src/gateway/guard-fields.js";
import {
  READ_PERMISSIONS,
  ROLES,
  permissionsOf,
  readPermissionOf,
} from "../../src/modules/identity/index.js";

const root = join(import.meta.dirname, "../../..");
const schema = buildSchema(readFileSync(join(root, "schema/schema.graphql"), "utf8"));
const types = Object.values(schema.getTypeMap())
  .filter(isObjectType)
  .filter(({ name }) => !name.startsWith("__"));

test("every field leads to a type whose reading has been decided", () => {
  const undecided = types.flatMap((type) =>
    [type, ...Object.values(type.getFields())]
      .map((place) => ({
        place,
        name: "type" in place ? String(place.type).replace(/[[\]!]/g, "") : place.name,
      }))
      .filter(({ name }) => isObjectType(schema.getType(name)) && readPermissionOf(name) === undefined)
      .map(({ place }) => `${type.name}.${place.name}`),
  );
  expect(undecided).toEqual([]);
});

test("nothing is decided about what is not there", () => {
  const known = new Set(types.map(({ name }) => name));
  const gone = Object.keys(READ_PERMISSIONS).filter(
    (name) => !known.has(name) && !known.has(`${name}Connection`),
  );
  expect(gone).toEqual([]);
});

test("what has an id of its own asks for a permission", () => {
  const nodes = types.filter((type) => type.getInterfaces().some(({ name }) => name === "Node"));
  expect(nodes.filter(({ name }) => readPermissionOf(name) === "part")).toEqual([]);
});

/** A graph of ours whose objects all lead to an API key. */
function guarded() {
  const key = new GraphQLObjectType({
    name: "ApiKey",
    fields: { name: { type: GraphQLString, resolve: () => "secret" } },
  });
  const model = new GraphQLObjectType({
    name: "Model",
    fields: {
      name: { type: GraphQLString, resolve: () => "model" },
      key: { type: key, resolve: () => ({}) },
    },
  });
  const query = new GraphQLObjectType({
    name: "Query",
    fields: { model: { type: model, resolve: () => ({}) } },
  });
  const graph = new GraphQLSchema({ query });
  guardFields(graph);
  return graph;
}

test("a path that leads to more than its beginning allows is refused, and nothing before it", () => {
  const graph = guarded();
  const ask = (source: string, roles: string[]) =>
    graphqlSync({ schema: graph, source, contextValue: { caller: { subject: "x", roles } } });
  expect(ask("{ model { name } }", ["VIEWER"]).data).toMatchObject({ model: { name: "model" } });
  const refused = ask("{ model { name key { name } } }", ["VIEWER"]);
  expect(refused.data).toMatchObject({ model: { name: "model", key: null } });
  expect(refused.errors!.map(({ message }) => message)).toEqual(["this needs the permission key:manage"]);
  expect(ask("{ model { key { name } } }", ["ADMIN"]).data).toMatchObject({
    model: { key: { name: "secret" } },
  });
  expect(ask("{ model { name } }", []).errors).toHaveLength(1);
});

test("a type that nobody has decided about makes no graph", () => {
  const stray = new GraphQLObjectType({ name: "Stray", fields: { name: { type: GraphQLString } } });
  const query = new GraphQLObjectType({ name: "Query", fields: { stray: { type: stray } } });
  expect(() => guardFields(new GraphQLSchema({ query }))).toThrow("Stray");
});

test("the README's table of permissions is the code's", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| `([a-z]+:[a-z]+)` \| ([A-Z, ]+?) *\|$/gm)].map(([, name, roles]) => [
    name,
    roles,
  ]);
  const code = permissionsOf("ADMIN").map((permission) => [
    permission,
    ROLES.filter((role) => permissionsOf(role).includes(permission)).join(", "),
  ]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(code));
});
