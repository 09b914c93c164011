import type { Grant } from "./grants.rules.js";
import type { Role } from "./roles.rules.js";

/** Who calls. */
export interface Caller {
  subject: string;
  roles: readonly Role[];
  /** What people call it, where the subject says little: the name of an API key. */
  name?: string;
  /** Whose word it is, where that is not the subject: the one to whom an API key was given. */
  person?: string;
  /** Narrow what the roles allow, never widen it. */
  grants?: readonly Grant[];
}

export interface Identity {
  caller: Caller;
  /** When the credentials end; absent for the developer of a local platform. */
  expiresAt?: Date;
  /** Id of the API key that it comes from: it may be revoked at any time. */
  apiKey?: string;
}

/** Two callers with the same are one, however they came. */
export function personOf({ person, subject }: Caller): string {
  return person ?? subject;
}
