import { assertRatesFit, queuesOf, readProcessRole } from "../../src/process-role.js";

const QUEUES = ["embedding", "training", "validation"];

const read = (...args: string[]) => {
  const role = readProcessRole(args);
  return { kind: role.kind, queues: queuesOf(role, QUEUES) };
};

test("a process is the whole platform unless it is told otherwise", () => {
  expect(read()).toEqual({ kind: "platform", queues: QUEUES });
  expect(read("platform")).toEqual(read());
});

test("a gateway works on no queue, a worker on all or on those it is given", () => {
  expect(read("gateway")).toEqual({ kind: "gateway", queues: [] });
  expect(read("worker")).toEqual({ kind: "worker", queues: QUEUES });
  expect(read("worker", "--queues", "training, embedding,training").queues).toEqual([
    "training",
    "embedding",
  ]);
  expect(read("worker", "--queues=validation").queues).toEqual(["validation"]);
});

test.each([
  [
    ["worker", "--queues", "training,mining"],
    /no queue "mining"; there are: embedding, training, validation/,
  ],
  [["worker", "--queues", ""], /no queue ""; there are: embedding, training, validation/],
  [["gateway", "--queues", "training"], /--queues: only a worker/],
  [["--queues", "training"], /--queues: only a worker/],
  [["gatway"], /"gatway": allowed: platform, gateway, worker, migrate/],
  [["gateway", "worker"], /"gateway worker": allowed: platform, gateway, worker, migrate/],
  [["worker", "--quues", "training"], /--quues/],
])("%j is refused", (args, reason) => {
  expect(() => read(...args)).toThrow(reason);
});

test("a rate is for a queue that there is", () => {
  expect(() => assertRatesFit({ training: 5 }, QUEUES)).not.toThrow();
  expect(() => assertRatesFit({ mining: 5 }, QUEUES)).toThrow(
    /ML_QUEUE_RATES: no queue "mining"; there are: embedding, training, validation/,
  );
});
