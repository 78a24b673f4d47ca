import { expect, it } from "vitest";
import { adminPlaceOf } from "./admin-place.ts";

const sockets = { adminPath: (id: string) => `/run/hansa/${id}.admin` };
const placeOf = (address: string) => adminPlaceOf({ id: "pay-1", address }, sockets, 15_000);

it("a proxy on a loopback address has its admin interface there", () => {
  expect(placeOf("127.16.1.10")).toEqual({ address: "127.16.1.10", port: 15_000 });
});

it.each(["10.7.0.11", "192.0.2.1", "2001:db8::1", "::1"])(
  "a proxy at %s has its admin interface on a socket, never on a network",
  (address) => {
    expect(placeOf(address)).toEqual({ path: "/run/hansa/pay-1.admin" });
  },
);
