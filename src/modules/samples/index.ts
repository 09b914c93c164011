export { SampleLoader } from "./sample-loader.js";
export type { SampleState } from "./sample-loader.js";
