import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  Mutation,
  Query,
  Resolver,
  Root,
} from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import { DateScalar, DateTimeScalar, PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import type { CurveRow } from "./curve.entity.js";
import { CurveService } from "./curve.service.js";
import type { Snapshot } from "./curve.service.js";
import {
  CurveConnection,
  CurvePayload,
  CurveSnapshot,
  CurveSnapshotConnection,
  CurveType,
  DefineCurveInput,
  RecordCurveInput,
  RecordCurvePayload,
} from "./curve.types.js";

@ArgsType()
class SnapshotArgs extends PageArgs {
  @Field(() => DateScalar, { nullable: true })
  from?: string | null;

  @Field(() => DateScalar, { nullable: true })
  to?: string | null;

  @Field(() => DateTimeScalar, { nullable: true })
  knownAt?: Date | null;
}

/** The request's loader of curves by their id. */
export function curveLoader(context: RequestContext, curves: CurveService) {
  return context.loader<string, CurveRow>("curve", (ids) => curves.byIds(ids));
}

@Resolver(() => CurveType)
export class CurveResolver {
  constructor(private readonly curveService: CurveService) {}

  @Authorized("curve:read")
  @Query(() => CurveType, { nullable: true })
  async curve(@Arg("name") name: string): Promise<CurveType | null> {
    const row = await this.curveService.find(name);
    return row && new CurveType(row);
  }

  @Authorized("curve:read")
  @Query(() => CurveConnection, { description: "By name." })
  async curves(@Args() args: PageArgs): Promise<Connection<CurveType>> {
    return toConnection(
      await this.curveService.list(toPageRequest(args, ["text"])),
      (row) => new CurveType(row),
    );
  }

  @FieldResolver(() => CurveSnapshot, { nullable: true })
  latest(@Root() curve: CurveType, @Ctx() context: RequestContext): Promise<Snapshot | null> {
    return context
      .loader<CurveRow, Snapshot | null>("latestSnapshot", (rows) => this.curveService.latest(rows))
      .load(curve.row);
  }

  @FieldResolver(() => CurveSnapshotConnection, {
    description:
      "Oldest first. knownAt: as the history stood at that instant; without it, the latest revision of each date.",
  })
  async snapshots(@Root() curve: CurveType, @Args() args: SnapshotArgs): Promise<Connection<CurveSnapshot>> {
    const page = await this.curveService.snapshots(curve.row, args, toPageRequest(args, ["date"]));
    return toConnection(page, (snapshot) => snapshot);
  }

  @Authorized("curve:write")
  @Mutation(() => CurvePayload, { nullable: true })
  async defineCurve(
    @Arg("input") input: DefineCurveInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<CurvePayload> {
    return { curve: new CurveType(await this.curveService.define(input, caller)) };
  }

  @Authorized("curve:write")
  @Mutation(() => RecordCurvePayload, { nullable: true })
  async recordCurve(
    @Arg("input") input: RecordCurveInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<RecordCurvePayload> {
    const { curve, outcome } = await this.curveService.record(input, caller);
    return { curve: new CurveType(curve), ...outcome };
  }
}
