import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { connect } from "node:net";
import { once } from "node:events";
import { awaitServer } from "../../../src/adapters/await-server.js";
import { PreconditionFailedError, UnavailableError } from "../../../src/shared/errors.js";
import { freePort } from "../../support/free-port.js";

async function reach(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return "reached";
  } finally {
    socket.destroy();
  }
}

test("waits for a server that comes late", async () => {
  const port = await freePort();
  let server: Server | undefined;
  const attempts: number[] = [];
  const log = {
    info: () => undefined,
    warn: () => {
      // The second refusal brings the server up.
      if (attempts.push(port) === 2) server = createServer().listen(port, "127.0.0.1");
    },
    error: () => undefined,
  };
  try {
    expect(await awaitServer("ML_TEST_URL", () => reach(port), { timeoutMs: 30_000, log })).toBe("reached");
    expect(attempts.length).toBeGreaterThanOrEqual(2);
    expect((server!.address() as AddressInfo).port).toBe(port);
  } finally {
    server?.close();
  }
});

test("gives up in time, and names the variable and the reason", async () => {
  const port = await freePort();
  const attempt = awaitServer("ML_TEST_URL", () => reach(port), { timeoutMs: 300 });
  await expect(attempt).rejects.toThrow(UnavailableError);
  await expect(attempt).rejects.toThrow(/ML_TEST_URL.*ECONNREFUSED/);
});

test("what cannot get better is not tried again", async () => {
  let attempts = 0;
  const refusing = (error: Error) => async (): Promise<never> => {
    attempts += 1;
    throw error;
  };
  const options = { timeoutMs: 60_000, isFinal: (error: Error) => error.message === "wrong password" };
  await expect(awaitServer("ML_TEST_URL", refusing(new Error("wrong password")), options)).rejects.toThrow(
    "ML_TEST_URL: wrong password",
  );
  const typed = new PreconditionFailedError("ML_TEST_URL: is too old");
  await expect(awaitServer("ML_TEST_URL", refusing(typed), options)).rejects.toBe(typed);
  expect(attempts).toBe(2);
});
