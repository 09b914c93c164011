import type { Database } from "../../ports/database.js";
import type { NodeSource } from "../graph/index.js";
import type { PartitionedTable } from "../operations/index.js";
import { CurveResolver } from "./curve.resolver.js";
import { CurveService } from "./curve.service.js";
import { CurveType } from "./curve.types.js";
import { CurveRow } from "./curve.entity.js";
import { CurveSnapshotRow } from "./curve-snapshot.entity.js";

export const curveEntities = [CurveRow, CurveSnapshotRow];

/** Evidence: kept for ever. By the decade, since every look for the latest snapshot goes through all partitions. */
export const snapshotPartitions: PartitionedTable = {
  table: "curve_snapshots",
  column: "date",
  span: "decade",
  ahead: 1,
  appendOnly: true,
};

export interface CurvesModule {
  curves: CurveService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export function createCurvesModule(database: Database): CurvesModule {
  const curves = new CurveService(database);
  return {
    curves,
    resolvers: [new CurveResolver(curves)],
    nodeSources: [
      {
        type: "Curve",
        find: async (id) => {
          const [row] = await curves.byIds([id]);
          return row instanceof Error || !row ? undefined : new CurveType(row);
        },
      },
    ],
  };
}

export { CurveRow } from "./curve.entity.js";
export { CurveService } from "./curve.service.js";
export type { CurveHistory, SnapshotInput } from "./curve.service.js";
export type { CurveKind } from "./curve.entity.js";
export { curveLoader } from "./curve.resolver.js";
export { CurveType } from "./curve.types.js";
