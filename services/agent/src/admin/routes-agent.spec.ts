import { expect, it } from "vitest";
import { adminAddressOf } from "./routes-agent.ts";

it.each([
  ["127.16.1.10", "127.16.1.10"],
  ["10.7.0.11", "127.0.0.1"],
  ["192.0.2.1", "127.0.0.1"],
  ["2001:db8::1", "127.0.0.1"],
  ["::1", "127.0.0.1"],
])("a proxy at %s has its admin interface at %s, never on a network", (address, admin) => {
  expect(adminAddressOf({ address })).toBe(admin);
});
