import { Foundation1795000000000 } from "./1795000000000-foundation.js";

/** In the order in which they are applied. */
export const migrations = [Foundation1795000000000];
