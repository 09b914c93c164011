import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { runCli } from "../support/run-cli.js";
import type { CliOutcome } from "../support/run-cli.js";
import { TEST_SECRET, bearer } from "../support/tokens.js";

const signing = { ML_JWT_SECRET_KEY: TEST_SECRET };

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ENV: "test", ...signing } });
});
afterAll(() => platform.remove());

async function cli(args: string[], environment: Record<string, string> = signing): Promise<CliOutcome> {
  const outcome = await runCli(args, { ML_URL: platform.url, ...environment });
  return { ...outcome, stdout: outcome.stdout.trim() };
}

test("a token that was made here is accepted there, and good for as long as was asked", async () => {
  const grants = [{ permission: "model:predict", modelPattern: "power-*", stage: null }];
  const args = ["--subject", "ann", "--roles", "analyst,viewer", "--grants", JSON.stringify(grants)];
  const { stdout: token } = await cli(["token", ...args, "--expires", "30m"]);
  const me = "{ me { subject roles grants { permission modelPattern stage } } }";
  expect(await platform.query(me, {}, bearer(token))).toEqual({
    me: { subject: "ann", roles: ["ANALYST", "VIEWER"], grants },
  });
  const { exp } = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as { exp: number };
  expect(Math.abs(exp - Date.now() / 1000 - 1800)).toBeLessThan(60);
  for (const wrong of [
    ["--roles", "root"],
    ["--expires", "12"],
    ["--grants", "{}"],
  ]) {
    expect((await cli(["token", "--subject", "ann", "--roles", "viewer", ...wrong])).code).toBe(2);
  }
  expect(await cli(["token", "--subject", "ann", "--roles", "viewer"], {})).toMatchObject({
    code: 2,
    stdout: "",
  });
});

test("keys are made, listed, rotated and revoked", async () => {
  const { stdout: token } = await cli(["token", "--subject", "ada", "--roles", "admin"]);
  const asAdmin = { ML_TOKEN: token };
  const { stdout: secret } = await cli(
    ["keys", "create", "--name", "loader", "--roles", "engineer"],
    asAdmin,
  );
  const as = (key: string) => platform.ask<{ me: { name: string } }>("{ me { name } }", {}, bearer(key));
  expect((await as(secret)).data?.me.name).toBe("loader");
  const list = async () =>
    JSON.parse((await cli(["keys", "list", "--json"], asAdmin)).stdout) as {
      id: string;
      revokedAt: string | null;
    }[];
  const { id } = (await list())[0]!;
  const rotated = await cli(["keys", "rotate", id, "--overlap-days", "0", "--json"], asAdmin);
  const { secret: next, key } = JSON.parse(rotated.stdout) as { secret: string; key: { id: string } };
  expect((await as(next)).data?.me.name).toBe("loader");
  expect(await cli(["keys", "revoke", key.id], asAdmin)).toMatchObject({ code: 0 });
  expect((await list())[0]!.revokedAt).not.toBeNull();
  expect(refusalOf(await as(next))).toBe("UNAUTHENTICATED");
  expect(await cli(["keys", "revoke", "absent"], asAdmin)).toMatchObject({ code: 1 });
  for (const wrong of [
    ["keys", "burn"],
    ["keys", "revoke"],
    ["keys", "create", "--name", "x"],
  ]) {
    expect((await cli(wrong, asAdmin)).code).toBe(2);
  }
});
