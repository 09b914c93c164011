// Jest wants a file for each of its two hooks.
export { stopRun as default } from "./start-embedded.js";
