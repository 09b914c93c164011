import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { describeDatabase } from "../contract/database-contract.js";
import { startPostgres } from "../support/postgres-server.js";

describeDatabase("PostgreSQL", async () => {
  const server = await startPostgres();
  const database = await openPostgresDatabase({ dsn: server.dsn(), entities: [], migrations: [] });
  return {
    database,
    connection: server.connection(),
    drop: async () => {
      await database.close();
      await server.remove();
    },
  };
});
