import { Args, Authorized, Query, Resolver } from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import type { Database } from "../../ports/database.js";
import { toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { AuditArgs, AuditEntryConnection, AuditEntryType } from "./audit.types.js";

@Resolver()
export class AuditResolver {
  constructor(private readonly database: Database) {}

  @Authorized("audit:read")
  @Query(() => AuditEntryConnection, { description: "Newest first." })
  async audit(@Args() args: AuditArgs): Promise<Connection<AuditEntryType>> {
    const { actor, action, from, to } = args;
    const page = await new AuditEntryRepository(this.database.dataSource.manager).list(
      {
        actor: actor ?? undefined,
        action: action ?? undefined,
        from: from ?? undefined,
        to: to ?? undefined,
      },
      toPageRequest(args, ["instant", "position"]),
    );
    return toConnection(page, AuditEntryType.from);
  }
}
