import { ask, expectRefusal } from "./attack.js";
import type { Attack } from "./attack.js";

const repeated = (count: number, part: (i: number) => string): string =>
  Array.from({ length: count }, (_none, i) => part(i)).join(" ");

const refused = (name: string, query: string, variables?: object): Attack => ({
  name,
  run: async (site) => expectRefusal(await ask(site, query, variables), "INVALID_INPUT"),
});

const LEVEL = "{ versions(first: 1) { edges { node { model ";

/** Documents that are small to send and dear to answer. */
export const documentAttacks: Attack[] = [
  refused("a depth bomb", `{ model(name: "m") ${LEVEL.repeat(60)} { id } ${"} } } } ".repeat(60)} }`),
  refused(
    "fragments in a circle",
    "{ me { ...A } } fragment A on Caller { ...B } fragment B on Caller { ...A }",
  ),
  refused(
    "a chain of fragments",
    `{ me { ...F0 } } ${repeated(400, (i) => `fragment F${i} on Caller { ...F${i + 1} }`)} fragment F400 on Caller { subject }`,
  ),
  refused(
    "fragments that double each other",
    `{ me { ...F60 } } fragment F0 on Caller { a: subject } ${repeated(60, (i) => `fragment F${i + 1} on Caller { ...F${i} ...F${i} }`)}`,
  ),
  refused("a flood of aliases", `{ ${repeated(5_000, (i) => `a${i}: me { subject }`)} }`),
  refused("a flood of aliases of __typename", `{ ${repeated(300, (i) => `a${i}: __typename`)} }`),
  refused("a field ten thousand times", `{ me { ${repeated(10_000, () => "subject")} } }`),
  refused("an overload of directives", `{ me { subject ${repeated(150, () => "@include(if: true)")} } }`),
  refused("directives that nobody knows", `{ me { subject ${repeated(100, (i) => `@d${i}`)} } }`),
  refused(
    "many operations",
    repeated(50, (i) => `query Q${i} { me { subject } }`),
  ),
  refused("a huge page by a literal", "{ models(first: 2147483647) { totalCount } }"),
  refused("a huge page by a variable", "query ($n: Int) { models(first: $n) { totalCount } }", {
    n: 1_000_000,
  }),
  refused("a huge page by a default", "query ($n: Int = 1000000) { models(first: $n) { totalCount } }"),
  refused("a page of less than nothing", "{ models(first: -1) { totalCount } }"),
  refused(
    "pages within pages within pages",
    "{ models(first: 100) { edges { node { versions(first: 100) { edges { node { model { transitions(first: 100) { totalCount } } } } } } } } }",
  ),
  refused("the graph's own description", "{ __schema { types { name fields { name } } } }"),
  refused("a type's description", '{ __type(name: "ApiKey") { fields { name } } }'),
  {
    name: "a name that is nearly one of the graph's",
    run: async (site) => {
      const answer = await ask(site, "{ modells { totalCount } apiKey { secret } }");
      expectRefusal(answer, "INVALID_INPUT");
      expect(answer.body).not.toMatch(/did you mean/i);
    },
  },
];
