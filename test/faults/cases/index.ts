import type { Fault } from "../fault.js";
import { cacheFaults } from "./cache.cases.js";
import { databaseFaults } from "./database.cases.js";
import { gatewayFaults } from "./gateway.cases.js";
import { queueFaults } from "./queue.cases.js";
import { workerFaults } from "./worker.cases.js";

export const faults: readonly Fault[] = [
  ...workerFaults,
  ...gatewayFaults,
  ...queueFaults,
  ...cacheFaults,
  ...databaseFaults,
];
