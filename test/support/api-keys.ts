import type { Answer, Platform } from "./platform.js";
import { bearer, issueToken } from "./tokens.js";

export interface ApiKeyState {
  id: string;
  name: string;
  prefix: string;
  roles: string[];
  grants: { permission: string; modelPattern: string | null; stage: string | null }[];
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

export interface NewKey {
  key: ApiKeyState;
  secret: string;
}

export const API_KEY = `fragment Key on ApiKey {
  id name prefix roles grants { permission modelPattern stage } createdBy createdAt expiresAt lastUsedAt revokedAt
}`;

const admin = (): Record<string, string> => bearer(issueToken({ sub: "admin" }));

export function createKey(
  platform: Platform,
  input: Record<string, unknown>,
  headers: Record<string, string> = admin(),
): Promise<Answer<{ createApiKey: NewKey }>> {
  return platform.ask(
    `mutation Create($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret key { ...Key } } } ${API_KEY}`,
    { input },
    headers,
  );
}

/** A key with these roles and grants, made by an administrator, as credentials. */
export async function keyWith(
  platform: Platform,
  roles: string[],
  grants: object[] = [],
): Promise<Record<string, string>> {
  const { data, errors } = await createKey(platform, { name: "a program", roles, grants });
  if (!data) throw new Error(JSON.stringify(errors));
  return bearer(data.createApiKey.secret);
}

export function rotateKey(
  platform: Platform,
  input: Record<string, unknown>,
  headers: Record<string, string> = admin(),
): Promise<Answer<{ rotateApiKey: NewKey }>> {
  return platform.ask(
    `mutation Rotate($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { secret key { ...Key } } } ${API_KEY}`,
    { input },
    headers,
  );
}

export function revokeKey(
  platform: Platform,
  id: string,
  headers: Record<string, string> = admin(),
): Promise<Answer<{ revokeApiKey: { key: ApiKeyState } }>> {
  return platform.ask(
    `mutation Revoke($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { key { ...Key } } } ${API_KEY}`,
    { input: { id } },
    headers,
  );
}

export async function keyState(platform: Platform, id: string): Promise<ApiKeyState> {
  const { node } = await platform.query<{ node: ApiKeyState }>(
    `query Key($id: ID!) { node(id: $id) { ...Key } } ${API_KEY}`,
    { id },
    admin(),
  );
  return node;
}
