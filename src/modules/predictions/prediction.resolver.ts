import { Arg, Authorized, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import { CurveService, CurveType, curveLoader } from "../curves/index.js";
import { RequestContext } from "../identity/index.js";
import { ModelRegistryService, ModelVersionType, versionLoader } from "../models/index.js";
import { ForecastService } from "./forecast.service.js";
import { PredictionService } from "./prediction.service.js";
import { CurveForecastType, ForecastInput, PredictInput, PredictionType } from "./prediction.types.js";

@Resolver(() => PredictionType)
export class PredictionResolver {
  constructor(
    private readonly predictions: PredictionService,
    private readonly registry: ModelRegistryService,
  ) {}

  @Authorized("model:predict")
  @Query(() => PredictionType, { nullable: true, description: "Runs a model on the tensors given." })
  async predict(@Arg("input") input: PredictInput, @Ctx() context: RequestContext): Promise<PredictionType> {
    return new PredictionType(await this.predictions.predict(input, context));
  }

  @FieldResolver(() => ModelVersionType)
  async version(
    @Root() prediction: PredictionType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType> {
    const { versionRow, versionId } = prediction;
    return new ModelVersionType(versionRow ?? (await versionLoader(context, this.registry).load(versionId)));
  }
}

@Resolver(() => CurveForecastType)
export class ForecastResolver {
  constructor(
    private readonly forecasts: ForecastService,
    private readonly registry: ModelRegistryService,
    private readonly curveService: CurveService,
  ) {}

  @Authorized("curve:forecast")
  @Query(() => CurveForecastType, {
    nullable: true,
    description: "Forecasts a curve, with calibrated intervals.",
  })
  async forecast(
    @Arg("input") input: ForecastInput,
    @Ctx() context: RequestContext,
  ): Promise<CurveForecastType> {
    const { forecast, curve, version } = await this.forecasts.forecast(input, context);
    return new CurveForecastType(forecast, { curve, version });
  }

  @FieldResolver(() => CurveType)
  async curve(@Root() forecast: CurveForecastType, @Ctx() context: RequestContext): Promise<CurveType> {
    if (forecast.known) return new CurveType(forecast.known.curve);
    return new CurveType(await curveLoader(context, this.curveService).load(forecast.curveId));
  }

  @FieldResolver(() => ModelVersionType)
  async version(
    @Root() forecast: CurveForecastType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType> {
    if (forecast.known) return new ModelVersionType(forecast.known.version);
    return new ModelVersionType(await versionLoader(context, this.registry).load(forecast.versionId));
  }
}
