// Jest wants a file for each of its two hooks.
export { stopServices as default } from "./start-services.js";
