import { Foundation1795000000000 } from "./1795000000000-foundation.js";
import { Search1796000000000 } from "./1796000000000-search.js";
import { PartitionLocksCurveSnapshots1797000000000 } from "./1797000000000-partition-locks-curve-snapshots.js";
import { PartitionLocksInferenceRecords1797000000001 } from "./1797000000001-partition-locks-inference-records.js";
import { PartitionLocksOutboxEvents1797000000002 } from "./1797000000002-partition-locks-outbox-events.js";
import { CallerPositions1797000000003 } from "./1797000000003-caller-positions.js";
import { Upkeep1797100000000 } from "./1797100000000-upkeep.js";
import { JobFamilies1797200000000 } from "./1797200000000-job-families.js";
import { TrainingSegments1797200000001 } from "./1797200000001-training-segments.js";
import { EventOrigin1797500000000 } from "./1797500000000-event-origin.js";
import { ApiKeys1798000000000 } from "./1798000000000-api-keys.js";
import { FourEyesLocksModels1798000000001 } from "./1798000000001-four-eyes-locks-models.js";
import { Audit1798100000000 } from "./1798100000000-audit.js";
import { ReceivedFilesLocksVersions1798200000000 } from "./1798200000000-received-files-locks-versions.js";

/** In the order in which they are applied. */
export const migrations = [
  Foundation1795000000000,
  Search1796000000000,
  PartitionLocksCurveSnapshots1797000000000,
  PartitionLocksInferenceRecords1797000000001,
  PartitionLocksOutboxEvents1797000000002,
  CallerPositions1797000000003,
  Upkeep1797100000000,
  JobFamilies1797200000000,
  TrainingSegments1797200000001,
  EventOrigin1797500000000,
  ApiKeys1798000000000,
  FourEyesLocksModels1798000000001,
  Audit1798100000000,
  ReceivedFilesLocksVersions1798200000000,
];
