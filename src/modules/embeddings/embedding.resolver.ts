import { Arg, Authorized, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { InvalidInputError } from "../../shared/errors.js";
import { RequestContext, assertGranted } from "../identity/index.js";
import { ModelRegistryService, ModelVersionType, ServedVersions } from "../models/index.js";
import { assertTexts } from "./embed-input.rules.js";
import type { EmbedLimits } from "./embed-input.rules.js";
import { EmbedInput, EmbedResultType } from "./embedding.types.js";
import { EmbeddingService } from "./embedding.service.js";

@Resolver(() => EmbedResultType)
export class EmbeddingResolver {
  constructor(
    private readonly embeddings: EmbeddingService,
    private readonly registry: ModelRegistryService,
    private readonly served: ServedVersions,
    private readonly limits: EmbedLimits,
  ) {}

  @Authorized("text:embed")
  @Query(() => EmbedResultType, { nullable: true, description: "Turns texts into vectors, in their order." })
  async embed(@Arg("input") input: EmbedInput, @Ctx() context: RequestContext): Promise<EmbedResultType> {
    const { texts, role, truncate, version } = input;
    assertTexts(texts, this.limits);
    const model = input.model ?? (await this.onlyEmbedder());
    assertGranted(context.caller, "text:embed", { model });
    const served = await this.served.resolve(model, version);
    const embeddings = await this.embeddings.embed(served, texts, {
      role: role ?? "PASSAGE",
      priority: "interactive",
      truncate: truncate ?? true,
      signal: context.signal,
    });
    return new EmbedResultType(served.version, embeddings);
  }

  @FieldResolver(() => ModelVersionType)
  version(@Root() { versionRow }: EmbedResultType): ModelVersionType {
    return new ModelVersionType(versionRow);
  }

  /** @throws {InvalidInputError} when there is not exactly one that serves */
  private async onlyEmbedder(): Promise<string> {
    const names = await this.registry.namesInProduction("TEXT_EMBEDDER");
    if (names.length === 1) return names[0]!;
    throw InvalidInputError.at(
      "input.model",
      names.length === 0
        ? "no TEXT_EMBEDDER has a version in production"
        : `is needed where there are several: ${names.join(", ")}`,
    );
  }
}
