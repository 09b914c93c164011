import { openTestDatabase } from "../support/embedded-test-database.js";
import { describeDatabase } from "./database-contract.js";

describeDatabase("embedded database", async () => {
  const { database, drop } = await openTestDatabase();
  return { database, connection: database.connection, drop };
});
