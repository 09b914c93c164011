// `npm run test:faults [-- --ci | --only NAME | --list]`: installs what is missing, builds what changed, breaks things.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
await import("../../dist/test/faults/main.js");
