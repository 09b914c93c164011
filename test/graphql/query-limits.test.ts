import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

const nested = (size: string) => `
  models(first: ${size}) { edges { node { ...Versions } } }`;
const fragments = (size: string) => `
  fragment Versions on Model { versions(first: ${size}) { edges { node { model { ...Transitions } } } } }
  fragment Transitions on Model { transitions(first: ${size}) { totalCount } }`;

test("pages within pages within pages are refused before anything is read", async () => {
  const { data, errors } = await platform.ask(`query { ${nested("100")} } ${fragments("100")}`);
  expect(data ?? null).toBeNull();
  expect(errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
  expect(errors?.[0]?.message).toMatch(/1010100 nodes, 20000 at most/);
});

test("so are page sizes by variable, and by a variable's default", async () => {
  const query = `($size: Int = 100) { ${nested("$size")} } ${fragments("$size")}`;
  const byDefault = await platform.ask(`query ${query}`);
  expect(byDefault.errors?.[0]?.message).toMatch(/1010100 nodes/);
  const byVariable = await platform.ask(`query ${query}`, { size: 50 });
  expect(byVariable.errors?.[0]?.message).toMatch(/127550 nodes/);
});

test("the default page counts where no size is given", async () => {
  const modest = "{ models { edges { node { versions { edges { node { number } } } } } } }";
  expect((await platform.ask(modest)).errors).toBeUndefined();
  const deep = `{ models { edges { node { versions { edges { node { model { versions { edges { node { model {
    transitions { totalCount } } } } } } } } } } } } }`;
  expect((await platform.ask(deep)).errors?.[0]?.message).toMatch(/168420 nodes/);
});

test("a socket is no way around it", async () => {
  const client = createClient({
    url: platform.url.replace("http", "ws") + "/graphql",
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const answers = client.iterate({ query: `query { ${nested("100")} } ${fragments("100")}` });
  await expect(answers.next()).rejects.toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
  await client.dispose();
});
