import { Field, Float, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import type { TensorType } from "../../ports/inference-runtime.js";
import { toNodeId } from "../../shared/node-id.js";
import { DateScalar, DateTimeScalar, JsonScalar, Node } from "../graph/index.js";
import type { CurveRow } from "../curves/index.js";
import { TensorTypeEnum, VersionSelector } from "../models/index.js";
import type { ModelVersionRow } from "../models/index.js";
import type { ForecastHorizonValue, ForecastValue } from "./forecast.service.js";
import type { PredictionValue } from "./prediction.service.js";

const TensorEncodingEnum = { VALUES: "VALUES", BASE64: "BASE64" } as const;
registerEnumType(TensorEncodingEnum, { name: "TensorEncoding" });

@InputType({
  description:
    "Exactly one of values and base64. values: nested or flat, row-major; 64-bit integers may be strings. " +
    "base64: little-endian bytes of the tensor.",
})
export class TensorInput {
  @Field()
  name!: string;

  @Field(() => [Int], { nullable: true })
  shape?: number[] | null;

  @Field(() => JsonScalar, { nullable: true })
  values?: unknown;

  @Field(() => String, { nullable: true })
  base64?: string | null;
}

@InputType()
export class PredictInput {
  @Field()
  model!: string;

  @Field(() => VersionSelector, { nullable: true })
  version?: VersionSelector | null;

  @Field(() => [TensorInput])
  inputs!: TensorInput[];

  @Field(() => [String], { nullable: true, description: "Names of the outputs to return; all by default." })
  outputs?: string[] | null;

  @Field(() => TensorEncodingEnum, { nullable: true, defaultValue: "VALUES" })
  encoding?: "VALUES" | "BASE64" | null;
}

@ObjectType({ simpleResolvers: true })
export class Tensor {
  @Field()
  name!: string;

  @Field(() => TensorTypeEnum)
  type!: TensorType;

  @Field(() => [Int])
  shape!: number[];

  @Field(() => JsonScalar, { nullable: true })
  values!: unknown;

  @Field(() => String, { nullable: true })
  base64!: string | null;
}

@ObjectType("Prediction", {
  simpleResolvers: true,
  implements: Node,
  description: "outputs: null when it is read back later and was too big to keep.",
})
export class PredictionType extends Node {
  readonly versionId: string;
  readonly versionRow?: ModelVersionRow;

  @Field(() => [Tensor], { nullable: true })
  outputs: Tensor[] | null;

  @Field(() => DateTimeScalar)
  at: Date;

  constructor(value: PredictionValue) {
    super();
    this.id = toNodeId("Prediction", value.id);
    this.versionId = value.versionId;
    this.versionRow = value.version;
    this.outputs = value.outputs;
    this.at = value.at;
  }
}

@InputType()
export class ForecastInput {
  @Field()
  curve!: string;

  @Field(() => String, { nullable: true, defaultValue: "curve_forecaster" })
  model?: string | null;

  @Field(() => VersionSelector, { nullable: true })
  version?: VersionSelector | null;

  @Field(() => DateScalar, {
    nullable: true,
    description: "The last snapshot on or before it is the origin; by default the curve's latest.",
  })
  asOf?: string | null;

  @Field(() => [Int], { nullable: true })
  horizons?: number[] | null;
}

@ObjectType({ simpleResolvers: true })
export class ForecastPoint {
  @Field()
  tenor!: string;

  @Field(() => Float)
  mean!: number;

  @Field(() => Float)
  lower!: number;

  @Field(() => Float)
  upper!: number;
}

@ObjectType({
  simpleResolvers: true,
  description:
    "date: the origin plus weekdays (daily curve), months (monthly) or median gaps (anything else). " +
    "points: one for each tenor that was quoted in the version's lookback.",
})
export class ForecastHorizon {
  @Field(() => Int)
  horizon!: number;

  @Field(() => DateScalar)
  date!: string;

  @Field(() => [ForecastPoint])
  points!: ForecastPoint[];
}

@ObjectType("CurveForecast", { implements: Node, simpleResolvers: true })
export class CurveForecastType extends Node {
  readonly versionId: string;
  readonly curveId: string;

  @Field(() => DateScalar)
  asOf: string;

  @Field(() => Float)
  coverage: number;

  @Field(() => [ForecastHorizon])
  horizons: ForecastHorizonValue[];

  /** @param known rows that making it just now has read */
  constructor(
    value: ForecastValue,
    readonly known?: { curve: CurveRow; version: ModelVersionRow },
  ) {
    super();
    this.id = toNodeId("CurveForecast", value.id);
    this.versionId = value.versionId;
    this.curveId = value.curveId;
    this.asOf = value.asOf;
    this.coverage = value.coverage;
    this.horizons = value.horizons;
  }
}
