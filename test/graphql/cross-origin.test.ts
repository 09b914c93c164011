import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";

const APP = "https://app.example";
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ALLOWED_ORIGINS: APP } });
});
afterAll(() => platform.remove());

const post = (origin: string) =>
  fetch(`${platform.url}/graphql`, {
    method: "POST",
    headers: { origin, "content-type": "application/json" },
    body: JSON.stringify({ query: "{ me { subject } }" }),
  });

test("a browser may send what a page of an allowed origin asks", async () => {
  const preflight = await fetch(`${platform.url}/graphql`, {
    method: "OPTIONS",
    headers: {
      origin: APP,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization, content-type",
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe(APP);
  expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
  expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
  expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
});

test("and may show the page the answer", async () => {
  const answer = await post(APP);
  expect(answer.headers.get("access-control-allow-origin")).toBe(APP);
  expect(answer.headers.get("vary")).toContain("origin");
  expect(await answer.json()).toEqual({ data: { me: { subject: "developer" } } });
});

test("pages of other origins get neither", async () => {
  const answer = await post("https://evil.example");
  expect(answer.status).toBe(403);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
});
