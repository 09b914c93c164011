import type { Duplex } from "node:stream";
import pg from "pg";
import { NotificationListener } from "../../src/adapters/postgres/notification-listener.js";
import { openTestDatabase } from "../support/embedded-test-database.js";

test("a listener whose connection broke listens again and wakes its readers", async () => {
  const { database, drop } = await openTestDatabase();
  const streams: Duplex[] = [];
  const connect = database.connection.stream as () => Duplex;
  const stream = () => {
    streams.push(connect());
    return streams.at(-1)!;
  };
  const errors: Error[] = [];
  const listener = new NotificationListener({ ...database.connection, stream }, (error) =>
    errors.push(error),
  );

  const heard: string[] = [];
  let heardMore = (): void => undefined;
  const next = () => new Promise<void>((resolve) => (heardMore = resolve));
  const stop = await listener.listen("survivor", (payload) => {
    heard.push(payload);
    heardMore();
  });

  const woken = next();
  streams[0]!.destroy();
  await woken;
  expect(heard).toEqual([""]);
  expect(errors).toHaveLength(1);

  const notified = next();
  const client = new pg.Client(database.connection);
  await client.connect();
  await client.query("NOTIFY survivor, 'back'");
  await notified;
  expect(heard).toEqual(["", "back"]);

  await client.end();
  await stop();
  await listener.close();
  await drop();
});
