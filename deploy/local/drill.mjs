// `npm run drill [-- --json FILE]`: installs what is missing, builds what changed, loses a platform and recovers it.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
await import("../../dist/test/drill/main.js");
