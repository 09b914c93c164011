import { startPlatform } from "../support/platform.js";

test("a platform that is given PostgreSQL, Redis and S3 stands on the service tier", async () => {
  const platform = await startPlatform();
  const health = (await (await fetch(`${platform.url}/health`)).json()) as { tier: string };
  expect(health.tier).toBe("service");
  await platform.remove();
});
