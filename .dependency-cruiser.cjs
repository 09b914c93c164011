// Who may import whom. A layer may import what is listed for it, itself and node's own modules; packages have owners.
const layer = (name, path, allowed) => ({
  name,
  comment: `${path} may import ${allowed.length > 0 ? allowed.join(", ") : "nothing of ours"}`,
  severity: "error",
  from: { path },
  to: { path: "^(src|workers|migrations|test)/", pathNot: [path, ...allowed] },
});

const owned = (name, packages, owners) => ({
  name: `package-${name}`,
  comment: `only ${owners.join(", ")} may import ${packages}`,
  severity: "error",
  from: { pathNot: owners },
  to: { path: packages.map((pkg) => `node_modules/${pkg}/`) },
});

const shared = "^src/shared/";
const ports = "^src/ports/";
const telemetry = "^src/telemetry/";
const frontDoors = "^src/modules/[^/]+/index\\.ts$";

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    layer("shared", shared, []),
    layer("config", "^src/config/", [shared]),
    layer("ports", ports, [shared]),
    layer("telemetry", telemetry, [shared]),
    layer("adapters", "^src/adapters/", [ports, "^src/config/", shared, telemetry]),
    layer("gateway", "^src/gateway/", [frontDoors, ports, shared, telemetry]),
    layer("workers", "^workers/", [frontDoors, ports, shared, telemetry, "^src/app\\.ts$"]),
    layer("cli", "^src/cli/", [shared]),
    layer("migrations", "^migrations/", []),
    {
      name: "modules",
      comment: "a module may import itself, the front doors of others, ports, shared and telemetry",
      severity: "error",
      from: { path: "^src/modules/([^/]+)/" },
      to: {
        path: "^(src|workers|migrations|test)/",
        pathNot: ["^src/modules/$1/", frontDoors, ports, shared, telemetry],
      },
    },
    {
      name: "rules-are-pure",
      comment: "*.rules.ts is logic and numerics: rules, types, entities by type, ports by type and shared",
      severity: "error",
      from: { path: "\\.rules\\.ts$" },
      to: {
        path: "^src/",
        pathNot: ["\\.rules\\.ts$", "\\.types\\.ts$", "\\.entity\\.ts$", ports, shared],
      },
    },
    {
      name: "only-main-starts-workers",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/main\\.ts$" },
      to: { path: "^workers/" },
    },
    owned("queue", ["bullmq", "ioredis"], ["^src/adapters/"]),
    owned("postgres", ["pg", "@electric-sql/[^/]+"], ["^src/adapters/"]),
    owned("onnxruntime", ["onnxruntime-node"], ["^src/adapters/onnx/"]),
    owned(
      "typeorm",
      ["typeorm"],
      [
        "\\.entity\\.ts$",
        "\\.repository\\.ts$",
        "^src/adapters/",
        "^src/ports/database\\.ts$",
        "^migrations/",
        "^node_modules/",
      ],
    ),
    owned(
      "type-graphql",
      ["type-graphql"],
      ["\\.types?\\.ts$", "\\.resolver\\.ts$", "^src/modules/graph/", "^src/gateway/"],
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
    },
  },
};
