import { Arg, Args, Authorized, Query, Resolver } from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import type { Database } from "../../ports/database.js";
import { DateTimeScalar, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { AuditVerifier } from "./audit-verification.js";
import type { AuditVerification } from "./audit-verification.js";
import { AuditArgs, AuditEntryConnection, AuditEntryType, AuditVerificationType } from "./audit.types.js";

@Resolver()
export class AuditResolver {
  constructor(
    private readonly database: Database,
    private readonly verifier: AuditVerifier,
  ) {}

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

  @Authorized("audit:read")
  @Query(() => AuditVerificationType, {
    description:
      "Compares entries, the chain over them and its signed heads; reads all of it, or all since then.",
  })
  auditVerification(
    @Arg("from", () => DateTimeScalar, { nullable: true }) from?: Date,
  ): Promise<AuditVerification> {
    return this.verifier.verify(from ?? undefined);
  }
}
