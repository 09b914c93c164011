// `npm run check:deploy [-- --crds FOLDER --release]`: renders the overlays and charts, and checks every object.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
await import("../../dist/test/deploy/main.js");
