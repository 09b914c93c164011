import type { Platform } from "../support/platform.js";
import type { GraphClient } from "./graph-client.js";

/** What the helpers of other tests ask of a platform, over a gateway. */
export function toPlatform(client: GraphClient): Platform {
  const ask = async (query: string, variables: object = {}) => ({
    data: await client.query(query, variables),
  });
  return { url: client.url, query: client.query.bind(client), ask } as unknown as Platform;
}
