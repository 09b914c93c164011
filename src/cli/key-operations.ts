import type { Connection, Operation } from "./operation.js";

/** Those of the documents in `schema/operations` that concern API keys. */
export interface KeyOperations {
  "api-keys": Operation<{ first: number; after?: string }, { apiKeys: Connection<ApiKey> }>;
  "create-api-key": Operation<{ input: NewApiKey }, { createApiKey: { key: ApiKey; secret: string } }>;
  "rotate-api-key": Operation<
    { input: { id: string; overlapDays?: number } },
    { rotateApiKey: { key: ApiKey; secret: string } }
  >;
  "revoke-api-key": Operation<{ input: { id: string } }, { revokeApiKey: { key: ApiKey } }>;
}

export interface Grant {
  permission: string;
  modelPattern?: string | null;
  stage?: string | null;
}

export interface NewApiKey {
  name: string;
  roles: string[];
  grants?: Grant[];
  expiresInDays?: number;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  roles: string[];
  grants: Grant[];
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
}
