// Tests run on the compiled files in dist/, so worker threads and child processes are the real ones.
export default {
  roots: ["<rootDir>/dist/test"],
  testMatch: ["**/*.test.js"],
  transform: {},
  testEnvironment: "<rootDir>/dist/test/support/jest-environment.js",
  testTimeout: 60_000,
  maxWorkers: 2,
};
