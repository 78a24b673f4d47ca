import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { askEnvoy } from "./envoy-admin.ts";

test("an Envoy's answer is read up to its bound", async () => {
  const text = JSON.stringify("x".repeat(100_000));
  const server = createServer((_, response) => response.end(text)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const place = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const ask = (answerBytesMax: number) => askEnvoy(place, "/", { timeoutMs: 5000, answerBytesMax });
  try {
    expect(await ask(text.length)).toBe(JSON.parse(text));
    expect(await ask(text.length - 1)).toBeNull();
  } finally {
    server.close();
  }
});
