import type { Identity } from "./caller.js";

/** API keys as the door sees them. */
export interface KeyCredentials {
  /** @throws {UnauthenticatedError} */
  authenticate(key: string): Promise<Identity>;
}
