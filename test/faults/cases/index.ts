import type { Fault } from "../fault.js";
import { backupFaults } from "./backup.cases.js";
import { cacheFaults } from "./cache.cases.js";
import { checkFaults } from "./checks.cases.js";
import { clockFaults } from "./clock.cases.js";
import { databaseFaults } from "./database.cases.js";
import { deliveryFaults } from "./delivery.cases.js";
import { gatewayFaults } from "./gateway.cases.js";
import { modelFaults } from "./model.cases.js";
import { networkFaults } from "./network.cases.js";
import { objectFaults } from "./objects.cases.js";
import { queueFaults } from "./queue.cases.js";
import { raceFaults } from "./race.cases.js";
import { workerFaults } from "./worker.cases.js";

export const faults: readonly Fault[] = [
  ...checkFaults,
  ...workerFaults,
  ...gatewayFaults,
  ...raceFaults,
  ...queueFaults,
  ...deliveryFaults,
  ...cacheFaults,
  ...databaseFaults,
  ...backupFaults,
  ...objectFaults,
  ...modelFaults,
  ...clockFaults,
  ...networkFaults,
];
