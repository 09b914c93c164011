// Tests run on the compiled files in dist/, so worker threads and child processes are the real ones.
const common = {
  transform: {},
  testEnvironment: "<rootDir>/dist/test/support/jest-environment.js",
  // Tests wait for conditions; this only ends what hangs, on however busy a machine.
  testTimeout: 120_000,
  // Two cores have room for a third file, since every file waits a good part of its time.
  maxWorkers: 3,
  // Modules of finished files are never quite forgotten.
  workerIdleMemoryLimit: "1GB",
};

/** Embedded engines, and unit tests: what runs on Node alone. */
const embedded = {
  ...common,
  roots: ["<rootDir>/dist/test"],
  testMatch: ["**/*.test.js"],
  testPathIgnorePatterns: ["/dist/test/services/"],
  globalSetup: "<rootDir>/dist/test/support/start-embedded.js",
  globalTeardown: "<rootDir>/dist/test/support/stop-embedded.js",
};

/** The same graph over PostgreSQL, Redis and S3, and what only they can show. */
const service = {
  ...common,
  roots: ["services", "graphql", "security", "workers"].map((folder) => `<rootDir>/dist/test/${folder}`),
  testMatch: ["**/*.test.js"],
  globalSetup: "<rootDir>/dist/test/support/start-services.js",
  globalTeardown: "<rootDir>/dist/test/support/stop-services.js",
};

export default process.env.TEST_TIER === "service" ? service : embedded;
