import { Arg, Authorized, Ctx, ID, Query, Resolver } from "type-graphql";
import { parseNodeId } from "../../shared/node-id.js";
import { RequestContext, mayDo } from "../identity/index.js";
import type { Permission } from "../identity/index.js";
import { ForbiddenError } from "../../shared/errors.js";
import { Node } from "./node.type.js";

/** How to find the nodes of one type, and what a caller must be allowed to see them. */
export interface NodeSource {
  type: string;
  permission: Permission;
  find(id: string, context: RequestContext): Promise<Node | undefined>;
}

@Resolver()
export class NodeResolver {
  constructor(private readonly sources: readonly NodeSource[]) {}

  @Authorized()
  @Query(() => Node, { nullable: true, description: "Anything that has an id; null when it does not exist." })
  async node(@Arg("id", () => ID) id: string, @Ctx() context: RequestContext): Promise<Node | undefined> {
    const parsed = parseNodeId(id);
    const source = this.sources.find(({ type }) => type === parsed?.type);
    if (!parsed || !source) return undefined;
    if (!mayDo(context.caller.roles, source.permission)) throw new ForbiddenError("you may not read this");
    return source.find(parsed.id, context);
  }
}
