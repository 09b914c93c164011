import { QueryFailedError } from "typeorm";
import { maskedText } from "../../src/shared/masked-text.js";
import { serializeError } from "../../src/telemetry/serialize-error.js";

const CANARY = "canary-5f0c1b2a9d8e";

describe("text", () => {
  test.each([
    [`invalid input syntax for type uuid: "${CANARY}"`, 'invalid input syntax for type uuid: "***"'],
    [
      `Unexpected token 'c', "${CANARY}" is not valid JSON`,
      `Unexpected token '***', "***" is not valid JSON`,
    ],
    [`Unexpected token in "${CANARY}...`, 'Unexpected token in "***"'],
    [
      `connect to postgresql://ml:${CANARY}@db:5432/ml failed`,
      "connect to postgresql://***@db:5432/ml failed",
    ],
    [`GET https://s3/bucket/key?X-Amz-Signature=${CANARY}`, "GET https://s3/bucket/key?***"],
    ["key 254c_ab12cd34ef56ab12cd34ef56_00", "key ***"],
    [
      "eyJhbGciOiJIUzI1NiJ9aaaaaaaa.eyJzdWIiOiIxMjM0NTY3ODkwIn0aaa.dozjgNryP4J3jVmNHl0w5N",
      "***.***.dozjgNryP4J3jVmNHl0w5N",
    ],
    ["the model doesn't load: it isn't there", "the model doesn't load: it isn't there"],
    ["job 3f2504e0-4f89-41d3-9a0c-0305e82c3301 failed", "job 3f2504e0-4f89-41d3-9a0c-0305e82c3301 failed"],
    ["ENOSPC: no space left on device, write", "ENOSPC: no space left on device, write"],
  ])("%s", (text, masked) => {
    expect(maskedText(text)).toBe(masked);
  });
});

describe("errors", () => {
  const engine = (code: string, message: string) =>
    Object.assign(new Error(message), {
      ...{
        code,
        severity: "ERROR",
        table: "models",
        constraint: "models_name_key",
        routine: "_bt_check_unique",
      },
      ...{
        detail: `Key (name)=(${CANARY}) already exists.`,
        where: CANARY,
        hint: CANARY,
        internalQuery: CANARY,
      },
    });

  test("of PostgreSQL keep what they are about, and lose the values", () => {
    const error = new QueryFailedError(
      `INSERT ${CANARY}`,
      [CANARY],
      engine("23505", "duplicate key value") as never,
    );
    const logged = serializeError(error);
    expect(JSON.stringify(logged)).not.toContain(CANARY);
    expect(logged).toMatchObject({
      ...{ name: "QueryFailedError", code: "23505", message: "duplicate key value" },
      ...{ table: "models", constraint: "models_name_key" },
    });
    const unfit = serializeError(engine("22P02", `invalid input syntax for type integer: ${CANARY}`));
    expect(unfit).toMatchObject({ code: "22P02", message: "PostgreSQL reports 22P02" });
    expect(JSON.stringify(unfit)).not.toContain(CANARY);
  });

  test("of others keep class, code and where they were thrown", () => {
    const error = Object.assign(new TypeError(`Invalid URL`), {
      code: "ERR_INVALID_URL",
      input: `redis://x:${CANARY}@h`,
    });
    error.cause = new Error(CANARY);
    const logged = serializeError(error);
    expect(logged).toMatchObject({ name: "TypeError", code: "ERR_INVALID_URL", message: "Invalid URL" });
    expect(logged.stack).toMatch(/^\s+at /);
    expect(JSON.stringify(logged)).not.toContain(CANARY);
    expect(serializeError(`thrown "${CANARY}"`)).toEqual({ message: 'thrown "***"' });
  });
});
