import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import type { SecretSource } from "../identity/index.js";
import { ApiKeyCredentials } from "./api-key-credentials.js";
import { ApiKeyDigests } from "./api-key-digests.js";
import { ApiKeyRow } from "./api-key.entity.js";
import { ApiKeyResolver, CallerGrantsResolver } from "./api-key.resolver.js";
import { ApiKeyService } from "./api-key.service.js";
import { ApiKeyType } from "./api-key.types.js";

export const apiKeyEntities = [ApiKeyRow];

export interface ApiKeysModule {
  apiKeys: ApiKeyService;
  credentials: ApiKeyCredentials;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface ApiKeysModuleOptions {
  database: Database;
  logger: Logger;
  secrets: SecretSource;
  /** Keeps keys where no secret is configured. */
  fallbackPepper: Uint8Array | undefined;
}

export function createApiKeysModule(options: ApiKeysModuleOptions): ApiKeysModule {
  const { database, logger } = options;
  const digests = new ApiKeyDigests(options.secrets, options.fallbackPepper);
  const apiKeys = new ApiKeyService(database, digests);
  return {
    apiKeys,
    credentials: new ApiKeyCredentials(database, digests, logger),
    resolvers: [new ApiKeyResolver(apiKeys), new CallerGrantsResolver()],
    nodeSources: [
      {
        type: "ApiKey",
        find: async (id) => {
          const row = await apiKeys.find(id);
          return row ? ApiKeyType.from(row) : undefined;
        },
      },
    ],
  };
}
