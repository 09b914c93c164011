import type { Platform } from "../support/platform.js";
import type { GraphClient } from "./graph-client.js";

/** What the helpers of other tests ask of a platform, over a gateway. */
export function toPlatform(client: GraphClient): Platform {
  return {
    url: client.url,
    query: client.query.bind(client),
    ask: client.ask.bind(client),
  } as unknown as Platform;
}
