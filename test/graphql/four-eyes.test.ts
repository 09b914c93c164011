import { createKey, keyWith } from "../support/api-keys.js";
import { linearModel } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { TRANSITION, promote, rollBack, transitionsOf, uploadVersion } from "../support/registry.js";
import type { Transition } from "../support/registry.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

let platform: Platform;
let admin: Platform;
let ann: Platform;
let bob: Platform;

const as = (headers: Record<string, string>): Platform => ({
  ...platform,
  ask: (query, variables) => platform.ask(query, variables, headers),
  query: (query, variables) => platform.query(query, variables, headers),
});

beforeAll(async () => {
  platform = await startPlatform({ environment: { ML_ENV: "test", ML_JWT_SECRET_KEY: TEST_SECRET } });
  admin = as(bearer(issueToken({ sub: "admin" })));
  ann = as(bearer(issueToken({ sub: "ann", roles: ["ENGINEER"] })));
  bob = as(bearer(issueToken({ sub: "bob", roles: ["ENGINEER"] })));
});
afterAll(() => platform.remove());

let made = 0;
/** A model with four eyes, three versions and the first of them in production. */
async function careful(): Promise<string> {
  const model = `careful-${++made}`;
  for (let i = 0; i < 3; i++) await uploadVersion(admin, model, linearModel());
  await promote(admin, { model, number: 1 });
  await setFourEyes(model, true);
  return model;
}

const setFourEyes = (model: string, required: boolean) =>
  admin.query("mutation S($input: SetFourEyesInput!) { setFourEyes(input: $input) { model { fourEyes } } }", {
    input: { model, required },
  });

type Said = Answer<
  Record<string, { pending: boolean; transition: Transition & { approvedBy: string | null; status: string } }>
>;
const say = (who: Platform, word: "approve" | "withdraw", transition: string): Promise<Said> =>
  who.ask(
    `mutation Say($input: ${word === "approve" ? "Approve" : "Withdraw"}PromotionInput!) {
      said: ${word}Promotion(input: $input) { pending transition { ...Transition approvedBy status } }
    } ${TRANSITION}`,
    { input: { transition } },
  );

async function asked(who: Platform, input: Record<string, unknown>): Promise<string> {
  const { data, errors } = await promote(who, input);
  if (!data) throw new Error(JSON.stringify(errors));
  expect(data.promoteModelVersion.pending).toBe(true);
  return data.promoteModelVersion.transition.id;
}

const stateOf = async (model: string) =>
  (
    await admin.query<{
      model: {
        fourEyes: boolean;
        production: { number: number } | null;
        pendingPromotion: { id: string } | null;
      };
    }>(
      `query M($model: String!) { model(name: $model) { fourEyes production { number } pendingPromotion { id } } }`,
      { model },
    )
  ).model;

const statusOf = async (id: string) =>
  (
    await admin.query<{ node: { status: string } }>(
      `query N($id: ID!) { node(id: $id) { ... on StageTransition { status } } }`,
      { id },
    )
  ).node.status;

test("a promotion waits for another person, and the history names both", async () => {
  const model = await careful();
  const before = await transitionsOf(admin, model);
  const id = await asked(ann, { model, number: 2, reason: "better", expectedCurrent: 1 });
  expect(await stateOf(model)).toEqual({
    fourEyes: true,
    production: { number: 1 },
    pendingPromotion: { id },
  });
  expect(await transitionsOf(admin, model)).toEqual(before);
  expect(await statusOf(id)).toBe("PENDING");
  expect(refusalOf(await say(ann, "approve", id))).toBe("FORBIDDEN");
  expect((await say(bob, "approve", id)).data!.said).toMatchObject({
    pending: false,
    transition: {
      id,
      from: "NONE",
      to: "PRODUCTION",
      actor: "ann",
      approvedBy: "bob",
      reason: "better",
      status: "MADE",
    },
  });
  expect(await stateOf(model)).toEqual({ fourEyes: true, production: { number: 2 }, pendingPromotion: null });
  expect((await transitionsOf(admin, model)).at(-1)).toMatchObject({
    id,
    actor: "ann",
    retired: { number: 1 },
  });
  expect(refusalOf(await say(bob, "approve", id))).toBe("PRECONDITION_FAILED");
});

test("what production loses asks for it too; staging does not", async () => {
  const model = await careful();
  for (const stage of ["ARCHIVED", "STAGING", "NONE"]) await asked(ann, { model, number: 1, stage });
  const { data } = await promote(ann, { model, number: 2, stage: "STAGING" });
  expect(data!.promoteModelVersion.pending).toBe(false);
  // To where it is already is no change.
  expect((await promote(ann, { model, number: 1 })).data!.promoteModelVersion.pending).toBe(false);
});

test("all is checked again at the moment of approval", async () => {
  const model = await careful();
  const stale = await asked(ann, { model, number: 2, expectedCurrent: 1 });
  await setFourEyes(model, false);
  expect(await statusOf(stale)).toBe("WITHDRAWN");
  await setFourEyes(model, true);
  const id = await asked(ann, { model, number: 2, expectedCurrent: 1 });
  await admin
    .query(`mutation { rollbackModel(input: { model: "${model}" }) { pending } }`)
    .catch(() => undefined);
  const other = await asked(bob, { model, number: 3 });
  expect(await statusOf(id)).toBe("SUPERSEDED");
  expect(refusalOf(await say(bob, "approve", id))).toBe("PRECONDITION_FAILED");
  expect((await say(ann, "approve", other)).errors).toBeUndefined();
  const late = await asked(ann, { model, number: 2, expectedCurrent: 3 });
  expect((await rollBack(admin, { model })).errors).toBeUndefined();
  expect(refusalOf(await say(bob, "approve", late))).toBe("CONFLICT input.expectedCurrent");
  expect((await stateOf(model)).production).toEqual({ number: 1 });
});

test("it can be withdrawn, and the same request said again is one", async () => {
  const model = await careful();
  const id = await asked(ann, { model, number: 2, idempotencyKey: "once" });
  expect(await asked(ann, { model, number: 2, idempotencyKey: "once" })).toBe(id);
  expect((await say(bob, "withdraw", id)).data!.said!.transition.status).toBe("WITHDRAWN");
  expect((await say(bob, "withdraw", id)).errors).toBeUndefined();
  expect(refusalOf(await say(bob, "approve", id))).toBe("PRECONDITION_FAILED");
  expect((await stateOf(model)).pendingPromotion).toBeNull();
});

test("a key speaks for the person who made it, and approves nothing", async () => {
  const model = await careful();
  const key = await createKey(platform, { name: "admin's", roles: ["ENGINEER"] });
  const program = as(bearer(key.data!.createApiKey.secret));
  const byProgram = await asked(program, { model, number: 2 });
  expect(refusalOf(await say(admin, "approve", byProgram))).toBe("FORBIDDEN");
  const stager = as(
    await keyWith(platform, ["ENGINEER"], [{ permission: "model:promote", stage: "STAGING" }]),
  );
  const byAnn = await asked(ann, { model, number: 2 });
  expect(refusalOf(await say(stager, "approve", byAnn))).toBe("FORBIDDEN");
  expect(refusalOf(await say(stager, "withdraw", byAnn))).toBe("FORBIDDEN");
  const { errors } = await say(program, "approve", byAnn);
  expect(errors).toMatchObject([
    { message: expect.stringMatching(/by a person, not by an API key/), extensions: { code: "FORBIDDEN" } },
  ]);
  expect((await say(program, "withdraw", byAnn)).errors).toBeUndefined();
});

test("a rollback is one operator's, and no engineer's", async () => {
  const model = await careful();
  await say(bob, "approve", await asked(ann, { model, number: 2 }));
  expect(refusalOf(await rollBack(ann, { model }))).toBe("FORBIDDEN");
  const operator = as(bearer(issueToken({ sub: "olga", roles: ["OPERATOR"] })));
  expect((await rollBack(operator, { model })).errors).toBeUndefined();
  expect((await stateOf(model)).production).toEqual({ number: 1 });
});

test("what needed nobody's word, or is not there, cannot be approved", async () => {
  const model = await careful();
  const [first] = await transitionsOf(admin, model);
  expect(refusalOf(await say(bob, "approve", first!.id))).toBe("PRECONDITION_FAILED");
  expect(refusalOf(await say(bob, "approve", "absent"))).toBe("NOT_FOUND input.transition");
});
