import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  Int,
  Mutation,
  Resolver,
  Root,
} from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import { PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import { JobType } from "../operations/index.js";
import { collectionLoader } from "./collection.resolver.js";
import { CollectionService } from "./collection.service.js";
import { CollectionType } from "./collection.types.js";
import { DocumentService } from "./document.service.js";
import {
  DeleteDocumentsInput,
  DeleteDocumentsPayload,
  DocumentConnection,
  DocumentFilterInput,
  DocumentType,
  IngestDocumentsInput,
  IngestDocumentsPayload,
} from "./document.types.js";
import { IngestService } from "./ingest.service.js";

@ArgsType()
class DocumentsArgs extends PageArgs {
  @Field(() => DocumentFilterInput, { nullable: true })
  filter?: DocumentFilterInput | null;
}

@Resolver(() => CollectionType)
export class CollectionDocumentsResolver {
  constructor(private readonly documentService: DocumentService) {}

  @FieldResolver(() => DocumentType, { nullable: true })
  async document(@Root() { row }: CollectionType, @Arg("key") key: string): Promise<DocumentType | null> {
    const found = await this.documentService.find(row, key);
    return found && new DocumentType(found);
  }

  @FieldResolver(() => DocumentConnection, { description: "By key." })
  async documents(
    @Root() { row }: CollectionType,
    @Args() args: DocumentsArgs,
  ): Promise<Connection<DocumentType>> {
    const page = await this.documentService.list(row, args.filter, toPageRequest(args, ["text"]));
    return toConnection(page, (found) => new DocumentType(found));
  }

  @FieldResolver(() => Int, {
    description: "Documents still waiting for an embedding by the current embedder.",
  })
  pendingCount(@Root() { row }: CollectionType, @Ctx() context: RequestContext): Promise<number> {
    return context
      .loader<number, number>("pendingCount", (ids) => this.documentService.pendingCounts(ids))
      .load(row.id);
  }
}

@Resolver(() => DocumentType)
export class DocumentResolver {
  constructor(
    private readonly collections: CollectionService,
    private readonly ingestion: IngestService,
  ) {}

  @Authorized("document:write")
  @Mutation(() => IngestDocumentsPayload, {
    nullable: true,
    description: "Puts documents into a collection by their keys; what is known as it is, is left alone.",
  })
  async ingestDocuments(
    @Arg("input") input: IngestDocumentsInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<IngestDocumentsPayload> {
    const { job, ...outcome } = await this.ingestion.ingest(input, caller);
    return { ...outcome, job: JobType.from(job) };
  }

  @Authorized("document:write")
  @Mutation(() => DeleteDocumentsPayload, { nullable: true })
  async deleteDocuments(@Arg("input") input: DeleteDocumentsInput): Promise<DeleteDocumentsPayload> {
    return { deleted: await this.ingestion.delete(input.collection, input.keys) };
  }

  @FieldResolver(() => CollectionType)
  async collection(@Root() { row }: DocumentType, @Ctx() context: RequestContext): Promise<CollectionType> {
    return new CollectionType(await collectionLoader(context, this.collections).load(row.collectionId));
  }
}
