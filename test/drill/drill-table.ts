import Table from "cli-table3";
import type { DrillOutcome } from "./drill.js";
import { PLANNED, enlarge } from "./larger.js";

const MEGABYTE = 1_000_000;
const GIBIBYTE = 2 ** 30;

/** What a drill came to, for people. */
export function drillTable(outcome: DrillOutcome): string {
  const { database, artifacts } = outcome;
  const larger = enlarge(outcome);
  const table = new Table({ style: { head: [], border: [], compact: true }, colAligns: ["left", "right"] });
  table.push(
    ["RPO", `${outcome.rpoSeconds.toFixed(1)} s`],
    ["RTO", `${outcome.rtoSeconds.toFixed(1)} s`],
    ["acknowledged writes, of these lost", `${outcome.acknowledged}, ${outcome.lost.length}`],
    ["rows", database.rows.toLocaleString("en")],
    ["jobs unfinished at the loss, ended since", outcome.unfinishedJobs],
    ["artifacts, each of its digest in both places", `${artifacts.count} of ${megabytes(artifacts.bytes)}`],
    ["base backup verified and copied", rate(database.copiedBytes, database.copySeconds)],
    ["log replayed, with the server's start", rate(database.logBytes, database.replaySeconds)],
    ["artifacts copied to a second place", rate(artifacts.bytes, artifacts.copySeconds)],
    [
      `RTO at ${gibibytes(PLANNED.databaseBytes)} and ${gibibytes(PLANNED.logBytes)} of log`,
      minutes(larger.rtoSeconds),
    ],
    [`${gibibytes(PLANNED.artifactBytes)} of artifacts in two places again`, minutes(larger.twiceSeconds)],
  );
  return table.toString();
}

function rate(bytes: number, seconds: number): string {
  return `${megabytes(bytes)} in ${seconds.toFixed(1)} s, ${megabytes(bytes / seconds)}/s`;
}

const megabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;
const gibibytes = (bytes: number) => `${bytes / GIBIBYTE} GiB`;
const minutes = (seconds: number) => `${(seconds / 60).toFixed(0)} min`;
