/** Each limit of the bus that its server keeps, at it and one beyond: by a member that signs its own users. */
import { Events, type NatsConnection } from "nats";
import { afterAll, expect, test } from "vitest";
import {
  CONNECTIONS_PER_ACCOUNT_MAX,
  MESSAGE_BYTES_MAX,
  SUBSCRIPTIONS_PER_ACCOUNT_MAX,
} from "../../libs/bus/src/limits.ts";
import { ask, close, connectRaw, logOf, world } from "./bus-attacker.ts";
import { until } from "./hub-rig.ts";
import { retry } from "./log-bus.world.ts";

afterAll(close);

const OVER_STREAM = "10054";

test("a message up to the stream's bound is stored, one byte more is not", async () => {
  const member = await world.admit();
  const client = await connectRaw(member);
  // What the request adds to the body as the stream counts it: nothing, without headers.
  expect(await ask(client, "log.sum", new Uint8Array(MESSAGE_BYTES_MAX + 1))).toContain(OVER_STREAM);
  expect(await ask(client, "log.sum", new Uint8Array(MESSAGE_BYTES_MAX))).toContain('"seq"');
  expect((await logOf(member)).map(({ record }) => record.body.length)).toEqual([MESSAGE_BYTES_MAX]);
});

test("an account has so many connections, and another account's are not among them", async () => {
  const member = await world.admit();
  const come = (of = member) => connectRaw(of, { maxReconnectAttempts: 0, reconnect: false, timeout: 5000 });
  const open: NatsConnection[] = [];
  while (open.length < CONNECTIONS_PER_ACCOUNT_MAX) open.push(await come());
  const refused = await come().then(
    () => "",
    (error: unknown) => String(error),
  );
  expect(refused).not.toBe("");
  await come(await world.admit());
  await open[0]?.close();
  await retry(() => come());
});

test("a connection has so many subscriptions; what is beyond is refused, and the others hear on", async () => {
  const client = await connectRaw(await world.admit());
  const heard: string[] = [];
  const problems: unknown[] = [];
  void (async () => {
    for await (const { type, data } of client.status()) if (type === Events.Error) problems.push(data);
  })();
  const subscribe = (subject: string) => client.subscribe(subject, { callback: () => heard.push(subject) });
  for (let index = 0; index < SUBSCRIPTIONS_PER_ACCOUNT_MAX; index++) subscribe(`x.${index}`);
  await client.flush();
  expect(problems).toEqual([]);
  subscribe("x.more");
  await client.flush();
  await until("the server refuses", () => problems.length > 0);
  for (const subject of ["x.more", "x.0"]) client.publish(subject);
  await client.flush();
  expect(heard).toEqual(["x.0"]);
});
