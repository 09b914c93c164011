import { migrations } from "../../migrations/index.js";
import { entities } from "../../src/app.js";
import { openTestDatabase } from "../support/embedded-test-database.js";
import { describePartitions } from "./partitions-contract.js";

describePartitions("partitions of the embedded database", async () => {
  const { database, drop } = await openTestDatabase({ entities, migrations });
  // One process only, with several connections.
  return { database, others: [database, database], drop };
});
