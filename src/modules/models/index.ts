import type { Database } from "../../ports/database.js";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import type { ObjectStore } from "../../ports/object-store.js";
import type { Logger } from "../../telemetry/logger.js";
import type { AuditTrail } from "../audit/index.js";
import type { CurvesModule } from "../curves/index.js";
import type { NodeSource } from "../graph/index.js";
import type { OperationsModule } from "../operations/index.js";
import { ArtifactLinks } from "./artifact-links.js";
import type { LinkKeys } from "./artifact-links.js";
import { ArtifactValidation } from "./artifact-validation.js";
import { ModelRow } from "./model.entity.js";
import { validateModelVersionJob } from "./model.jobs.js";
import { ModelLifecycleService } from "./model-lifecycle.service.js";
import { ModelRegistryService } from "./model-registry.service.js";
import { FourEyesResolver } from "./four-eyes.resolver.js";
import { ModelProtectionResolver } from "./model-protection.resolver.js";
import { ModelResolver } from "./model.resolver.js";
import { ModelType, ModelVersionType, StageTransitionType } from "./model.types.js";
import { ModelVersionRow } from "./model-version.entity.js";
import { ModelVersionResolver, StageTransitionResolver } from "./model-version.resolver.js";
import { ProductionWarmup } from "./production-warmup.js";
import { ServedVersions } from "./served-versions.js";
import { PromotionRequestRow } from "./promotion-request.entity.js";
import { StageTransitionRow } from "./stage-transition.entity.js";
import { VersionCleanup } from "./version-cleanup.service.js";

export const modelEntities = [ModelRow, ModelVersionRow, StageTransitionRow, PromotionRequestRow];

export interface ModelsModule {
  registry: ModelRegistryService;
  validation: ArtifactValidation;
  lifecycle: ModelLifecycleService;
  served: ServedVersions;
  warmup: ProductionWarmup;
  cleanup: VersionCleanup;
  links: ArtifactLinks;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface ModelsModuleOptions {
  database: Database;
  store: ObjectStore;
  runtime: InferenceRuntime;
  operations: OperationsModule;
  curves: CurvesModule;
  trail: AuditTrail;
  /** Signs upload and download links. */
  linkKeys: LinkKeys;
  maxArtifactBytes: number;
  logger: Logger;
}

export function createModelsModule(options: ModelsModuleOptions): ModelsModule {
  const { database, store, runtime, operations, curves } = options;
  const links = new ArtifactLinks(options.linkKeys, store);
  const validation = new ArtifactValidation(store, runtime);
  const registry = new ModelRegistryService(
    database,
    store,
    validation,
    operations.jobs,
    options.maxArtifactBytes,
  );
  const served = new ServedVersions(database, store, runtime, options.logger);
  const lifecycle = new ModelLifecycleService(database, registry, served, runtime);
  operations.jobs.register(validateModelVersionJob);
  return {
    registry,
    validation,
    lifecycle,
    served,
    warmup: new ProductionWarmup(database, served, options.logger),
    cleanup: new VersionCleanup(database),
    links,
    resolvers: [
      new ModelResolver(registry, lifecycle),
      new ModelVersionResolver(registry, lifecycle, curves.curves, links, options.trail),
      new StageTransitionResolver(registry),
      new ModelProtectionResolver(registry),
      new FourEyesResolver(lifecycle),
    ],
    nodeSources: nodeSources(registry, lifecycle),
  };
}

function nodeSources(registry: ModelRegistryService, lifecycle: ModelLifecycleService): NodeSource[] {
  return [
    {
      type: "Model",
      find: async (id) => {
        const [row] = await registry.modelsByIds([id]);
        return row instanceof Error || !row ? undefined : new ModelType(row);
      },
    },
    {
      type: "ModelVersion",
      find: async (id) => {
        const [row] = await registry.versionsByIds([id]);
        return row instanceof Error || !row ? undefined : new ModelVersionType(row);
      },
    },
    {
      type: "StageTransition",
      find: async (id) => {
        const row = await lifecycle.findTransition(id);
        return row ? new StageTransitionType(row) : undefined;
      },
    },
  ];
}

export type { ArtifactLinks, LinkKeys } from "./artifact-links.js";
export type { VersionCandidate, VersionCheck } from "./artifact-validation.js";
export { ModelRow } from "./model.entity.js";
export { validateModelVersionJob } from "./model.jobs.js";
export { assertModelName } from "./model-input.rules.js";
export { ModelLifecycleService } from "./model-lifecycle.service.js";
export type { ProductionHandler } from "./model-lifecycle.service.js";
export { ModelRegistryService } from "./model-registry.service.js";
export type { TrainedArtifact } from "./version-request.js";
export { ModelType, ModelVersionType, StageEnum, TensorTypeEnum } from "./model.types.js";
export { ModelVersionRow } from "./model-version.entity.js";
export { modelLoader, versionLoader } from "./model-version.resolver.js";
export { VersionSelector } from "./model-version.types.js";
export { ServedVersions } from "./served-versions.js";
export type { ServedVersion } from "./served-version.js";
export type { VersionsInUse } from "./version-cleanup.service.js";
