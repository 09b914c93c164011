// `npm start`, `npm run gateway`, `npm run worker -- --queues a,b`: installs what is missing, builds what changed, runs
// the platform or its part in this process.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
process.setSourceMapsEnabled(true);
await import("../../dist/bundle/main.js");
