import { Arg, Args, ArgsType, Authorized, Field, Int, Query, Resolver } from "type-graphql";
import { SearchConnectionType, SearchInput } from "./search.types.js";
import { SearchService } from "./search.service.js";

@ArgsType()
class SearchPageArgs {
  @Field(() => Int, { nullable: true, defaultValue: 10, description: "At most 100." })
  first?: number | null;

  @Field(() => String, { nullable: true })
  after?: string | null;
}

@Resolver()
export class SearchResolver {
  constructor(private readonly searching: SearchService) {}

  @Authorized("collection:search")
  @Query(() => SearchConnectionType, {
    nullable: true,
    description:
      "Documents that match by their words, their meaning, or both, best first; up to the 1,000th by paging. A " +
      "cursor goes on with the documents that were there at the first page.",
  })
  async search(
    @Arg("input") input: SearchInput,
    @Args() page: SearchPageArgs,
  ): Promise<SearchConnectionType> {
    const start = performance.now();
    const answer = await this.searching.search(input, page);
    return new SearchConnectionType(answer, performance.now() - start);
  }
}
