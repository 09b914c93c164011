import { Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import {
  DateScalar,
  DateTimeScalar,
  JsonScalar,
  Metric,
  Node,
  Parameter,
  connectionType,
} from "../graph/index.js";
import { FORECASTER_TYPES } from "./forecasting/forecaster.types.js";
import type { ForecasterType } from "./forecasting/forecaster.types.js";
import type { RunStatus, TrainingRunRow } from "./training-run.entity.js";

const ForecasterTypeEnum = Object.fromEntries(FORECASTER_TYPES.map((type) => [type, type])) as {
  [T in ForecasterType]: T;
};
const RunStatusEnum = {
  QUEUED: "QUEUED",
  RUNNING: "RUNNING",
  SUCCEEDED: "SUCCEEDED",
  FAILED: "FAILED",
  CANCELLED: "CANCELLED",
} as const;
registerEnumType(ForecasterTypeEnum, { name: "ForecasterType" });
registerEnumType(RunStatusEnum, { name: "RunStatus" });

@ObjectType()
export class BacktestScore {
  @Field(() => Int)
  horizon!: number;

  @Field()
  tenor!: string;

  @Field(() => Float)
  rmse!: number;

  @Field(() => Float)
  mae!: number;

  @Field(() => Float, {
    nullable: true,
    description:
      "RMSE over the random walk's on the same forecasts: below 1 is better; null where that is 0.",
  })
  relativeToRandomWalk!: number | null;

  @Field(() => Float, { description: "Share of outcomes inside the interval." })
  coverage!: number;
}

@ObjectType({
  description:
    "Rolling-origin, out of sample. Every outcome from backtestFrom through `to` is scored; parameters, weights and " +
    "interval residuals come only from outcomes on or before the origin. The version itself is then refitted " +
    "through `to`, its intervals taken from the backtest's residuals.",
})
export class Backtest {
  @Field(() => Int)
  origins!: number;

  @Field(() => [BacktestScore])
  scores!: BacktestScore[];
}

@ObjectType("TrainingRun", { implements: Node })
export class TrainingRunType extends Node {
  readonly row: TrainingRunRow;

  @Field(() => RunStatusEnum)
  status: RunStatus;

  @Field(() => String, { nullable: true, description: "Digest of exactly the numbers or texts it saw." })
  dataSha256: string | null;

  @Field(() => Float, { description: "0 to 1." })
  progress: number;

  @Field(() => [Parameter])
  parameters: Parameter[];

  @Field(() => [Metric])
  metrics: Metric[];

  @Field(() => Backtest, { nullable: true })
  backtest: Backtest | null;

  @Field(() => String, { nullable: true })
  error: string | null;

  @Field()
  createdBy: string;

  @Field(() => DateTimeScalar)
  createdAt: Date;

  @Field(() => DateTimeScalar, { nullable: true })
  startedAt: Date | null;

  @Field(() => DateTimeScalar, { nullable: true })
  finishedAt: Date | null;

  constructor(row: TrainingRunRow) {
    super();
    this.row = row;
    this.id = toNodeId("TrainingRun", row.id);
    this.status = row.status;
    this.dataSha256 = row.dataSha256;
    this.progress = row.progress;
    this.parameters = row.parameters;
    this.metrics = row.metrics;
    this.backtest = row.backtest;
    this.error = row.error;
    this.createdBy = row.createdBy;
    this.createdAt = row.createdAt;
    this.startedAt = row.startedAt;
    this.finishedAt = row.finishedAt;
  }
}

export const TrainingRunConnection = connectionType("TrainingRun", TrainingRunType);

@InputType()
export class StartTrainingInput {
  @Field({ description: "The model that gets the new version; created when absent." })
  model!: string;

  @Field()
  curve!: string;

  @Field(() => ForecasterTypeEnum, { defaultValue: "ENSEMBLE" })
  type!: ForecasterType;

  @Field(() => [Int], {
    nullable: true,
    defaultValue: [1, 5, 21, 63],
    description: "Steps of the curve's own dates: business days for a daily curve, months for a monthly one.",
  })
  horizons?: number[] | null;

  @Field(() => DateScalar, {
    nullable: true,
    description: "First and last date of the outcomes it is fitted to; regressors may reach further back.",
  })
  from?: string | null;

  @Field(() => DateScalar, { nullable: true })
  to?: string | null;

  @Field(() => DateScalar, {
    nullable: true,
    description: "First outcome date of the backtest; by default the date at three quarters of the history.",
  })
  backtestFrom?: string | null;

  @Field(() => Int, {
    nullable: true,
    defaultValue: 21,
    description: "Steps between refits in the backtest; 1 refits at every origin.",
  })
  refitEvery?: number | null;

  @Field(() => Float, {
    nullable: true,
    defaultValue: 0.9,
    description: "Coverage of the prediction intervals.",
  })
  coverage?: number | null;

  @Field(() => JsonScalar, {
    nullable: true,
    description: 'Options of the type, checked by name and range, e.g. {"decay": 0.0609} for NELSON_SIEGEL.',
  })
  options?: unknown;

  @Field(() => Int, { nullable: true, defaultValue: 254 })
  seed?: number | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class CancelTrainingInput {
  @Field(() => ID)
  run!: string;
}

@ObjectType({ description: "cursor: subscribe after it to miss nothing." })
export class TrainingRunPayload {
  @Field(() => TrainingRunType)
  run!: TrainingRunType;

  @Field()
  cursor!: string;
}

@ObjectType({ description: "status and progress are those of the event; run shows it as it is now." })
export class TrainingEvent {
  @Field()
  cursor!: string;

  @Field(() => DateTimeScalar)
  at!: Date;

  @Field(() => TrainingRunType)
  run!: TrainingRunType;

  @Field(() => RunStatusEnum)
  status!: RunStatus;

  @Field(() => Float)
  progress!: number;

  @Field()
  message!: string;
}
