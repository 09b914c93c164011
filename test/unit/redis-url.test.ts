import { parseRedisUrl } from "../../src/shared/redis-url.js";

test("reads one server", () => {
  expect(parseRedisUrl("redis://cache")).toEqual({
    ...{ kind: "standalone", tls: false, database: 0 },
    nodes: [{ host: "cache", port: 6379 }],
  });
  expect(parseRedisUrl("rediss://user:p%40ss%2Fword@[::1]:7000/3")).toEqual({
    ...{ kind: "standalone", tls: true, database: 3, username: "user", password: "p@ss/word" },
    nodes: [{ host: "::1", port: 7000 }],
  });
});

test("reads Sentinels", () => {
  const url = "rediss-sentinel://:secret@a:1,b/jobs/2?sentinelUsername=watch&sentinelPassword=w%20d";
  expect(parseRedisUrl(url)).toEqual({
    ...{ kind: "sentinel", tls: true, database: 2, password: "secret", master: "jobs" },
    ...{ sentinelUsername: "watch", sentinelPassword: "w d" },
    nodes: [
      { host: "a", port: 1 },
      { host: "b", port: 26_379 },
    ],
  });
});

test("reads a cluster", () => {
  expect(parseRedisUrl("redis-cluster://a:7000,b:7001")).toEqual({
    ...{ kind: "cluster", tls: false, database: 0 },
    nodes: [
      { host: "a", port: 7000 },
      { host: "b", port: 7001 },
    ],
  });
});

test.each([
  ["http://a", /must start with redis:/],
  ["redis://", /needs a host/],
  ["redis://user:hunter2/x@a", /percent-encoded/],
  ["redis://:hunter2@x@a", /percent-encoded/],
  ["redis://hunter2@a", /user:password/],
  ["redis://:hunter%ZZ@a", /percent-encoded character/],
  ["redis://user:@a", /empty password/],
  ["redis://a:hunter2", /server 1 must be host:port/],
  ["redis://a:70000", /port of server 1 must be from 1 to 65535/],
  ["redis://a:1,b:2", /redis-sentinel:\/\/ or redis-cluster:\/\//],
  ["redis://a/hunter2", /database by a number/],
  ["redis://a?sentinelPassword=hunter2", /only with Sentinels/],
  ["redis-sentinel://a:1", /needs the master's name/],
  ["redis-sentinel://a:1/jobs?password=hunter2", /takes no parameters but/],
  ["redis-cluster://a:1/2", /must not name a database/],
])("refuses %s by its rule, and repeats nothing of it", (url, rule) => {
  expect(() => parseRedisUrl(url)).toThrow(rule);
  expect(() => parseRedisUrl(url)).not.toThrow(/hunter/);
});
