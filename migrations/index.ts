import { Foundation1795000000000 } from "./1795000000000-foundation.js";
import { Search1796000000000 } from "./1796000000000-search.js";
import { JobFamilies1797200000000 } from "./1797200000000-job-families.js";

/** In the order in which they are applied. */
export const migrations = [Foundation1795000000000, Search1796000000000, JobFamilies1797200000000];
