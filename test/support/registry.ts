import { createHash } from "node:crypto";
import { eventually, readAll } from "./platform.js";
import type { Answer, Connection, Platform } from "./platform.js";

export interface VersionState {
  number: number;
  status: "PENDING" | "READY" | "REJECTED";
  rejection: string | null;
  stage: string;
}

export interface Announced {
  version: { id: string; number: number; status: string };
  upload: { url: string; method: string; expiresAt: string };
  fileUploads: { url: string }[];
}

export interface Transition {
  id: string;
  kind: string;
  from: string;
  to: string;
  at: string;
  actor: string;
  reason: string | null;
  version: { number: number };
  retired: { number: number } | null;
}

export const TRANSITION = `
  fragment Transition on StageTransition {
    id kind from to at actor reason version { number } retired { number }
  }`;

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What is announced of a file before its bytes are sent. */
export function announcementOf(bytes: Uint8Array): { sha256: string; bytes: number } {
  return { sha256: digestOf(bytes), bytes: bytes.byteLength };
}

export function register(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ registerModel: { model: { id: string; name: string } } }>> {
  return platform.ask(
    "mutation Register($input: RegisterModelInput!) { registerModel(input: $input) { model { id name } } }",
    { input },
  );
}

export function announce(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ createModelVersion: Announced }>> {
  return platform.ask(
    `mutation Create($input: CreateModelVersionInput!) {
      createModelVersion(input: $input) {
        version { id number status } upload { url method expiresAt } fileUploads { url }
      }
    }`,
    { input },
  );
}

export async function put(url: string, bytes: Uint8Array): Promise<Response> {
  return fetch(url, { method: "PUT", body: Buffer.from(bytes) });
}

export function complete(
  platform: Platform,
  model: string,
  number: number,
): Promise<Answer<{ completeModelVersion: { version: VersionState; job: { id: string } | null } }>> {
  return platform.ask(
    `mutation Complete($input: CompleteModelVersionInput!) {
      completeModelVersion(input: $input) { version { number status rejection stage } job { id } }
    }`,
    { input: { model, number } },
  );
}

export async function versionState(platform: Platform, model: string, number: number): Promise<VersionState> {
  const answer = await platform.query<{ model: { version: VersionState } }>(
    `query Version($model: String!, $number: Int!) {
      model(name: $model) { version(number: $number) { number status rejection stage } }
    }`,
    { model, number },
  );
  return answer.model.version;
}

/** The version once it is no longer PENDING. */
export function validated(platform: Platform, model: string, number: number): Promise<VersionState> {
  return eventually(
    () => versionState(platform, model, number),
    ({ status }) => status !== "PENDING",
  );
}

/** Registers a model, when it is new, and uploads one version of it; waits until it is validated. */
export async function uploadVersion(
  platform: Platform,
  model: string,
  bytes: Uint8Array,
  input: Record<string, unknown> = {},
  kind = "TENSOR",
): Promise<VersionState> {
  await register(platform, { name: model, kind });
  const announced = await announce(platform, { model, ...announcementOf(bytes), ...input });
  if (!announced.data) throw new Error(JSON.stringify(announced.errors));
  const { version, upload } = announced.data.createModelVersion;
  const response = await put(upload.url, bytes);
  if (!response.ok) throw new Error(`upload answered ${response.status}: ${await response.text()}`);
  await complete(platform, model, version.number);
  return validated(platform, model, version.number);
}

export function promote(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ promoteModelVersion: { transition: Transition; pending: boolean } }>> {
  return platform.ask(
    `mutation Promote($input: PromoteModelVersionInput!) {
      promoteModelVersion(input: $input) { pending transition { ...Transition } }
    } ${TRANSITION}`,
    { input },
  );
}

export function rollBack(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ rollbackModel: { transition: Transition } }>> {
  return platform.ask(
    `mutation Rollback($input: RollbackModelInput!) {
      rollbackModel(input: $input) { transition { ...Transition } }
    } ${TRANSITION}`,
    { input },
  );
}

/** Every transition of a model, oldest first. */
export async function transitionsOf(platform: Platform, model: string): Promise<Transition[]> {
  const newestFirst = await readAll(async (after) => {
    const answer = await platform.query<{ model: { transitions: Connection<Transition> } }>(
      `query History($model: String!, $after: String) {
        model(name: $model) { transitions(first: 7, after: $after) {
          edges { cursor node { ...Transition } } pageInfo { hasNextPage } totalCount
        } }
      } ${TRANSITION}`,
      { model, after },
    );
    return answer.model.transitions;
  });
  return newestFirst.reverse();
}
