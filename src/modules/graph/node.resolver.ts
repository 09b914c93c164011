import { Arg, Authorized, Ctx, ID, Query, Resolver } from "type-graphql";
import { parseNodeId } from "../../shared/node-id.js";
import { RequestContext, mayDo, readPermissionOf } from "../identity/index.js";
import { ForbiddenError } from "../../shared/errors.js";
import { Node } from "./node.type.js";

/** How to find the nodes of one type; what reading one asks for is decided by its type. */
export interface NodeSource {
  type: string;
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
    const permission = readPermissionOf(source.type);
    if (permission === undefined || permission === "part" || !mayDo(context.caller.roles, permission)) {
      throw new ForbiddenError("you may not read this");
    }
    return source.find(parsed.id, context);
  }
}
