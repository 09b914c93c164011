#!/usr/bin/env node
// The command line `254carbon`: installs and builds on first use, then hands over.
import "./quiet-sdk.mjs";
import { install } from "./install.mjs";

install();
const { build } = await import("./build.mjs");
await build();
await import("../../dist/bundle/cli.js");
