import { newAccountKeys, newUserKeys } from "@hansa/bus";
import { expect, test } from "vitest";
import { rawKeyOf } from "./nkey.ts";

test("raw keys of accounts and users, and of nothing else", () => {
  const account = newAccountKeys().publicKey;
  const user = newUserKeys().publicKey;
  expect(rawKeyOf(account, "account")).toHaveLength(32);
  expect(rawKeyOf(user, "user")).toHaveLength(32);
  expect(rawKeyOf(account, "user")).toBeUndefined();
  expect(rawKeyOf(user, "account")).toBeUndefined();
  const flipped = account.slice(0, -1) + (account.endsWith("A") ? "B" : "A");
  expect(rawKeyOf(flipped, "account")).toBeUndefined();
  expect(rawKeyOf(account.toLowerCase(), "account")).toBeUndefined();
  expect(rawKeyOf("", "account")).toBeUndefined();
});
