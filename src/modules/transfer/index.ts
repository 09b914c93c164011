export { checkExport } from "./checked-export.js";
export { ExportService } from "./export.service.js";
export type { ExportOptions } from "./export.service.js";
export { exportedTables, tablesLeftBehind } from "./exported-tables.js";
export { ImportService } from "./import.service.js";
export type { TransferManifest } from "./transfer-manifest.js";
