// `npm run bench [-- group ...] [--data DIR]`: installs what is missing, builds what changed, measures.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
await import("../../dist/test/bench/main.js");
