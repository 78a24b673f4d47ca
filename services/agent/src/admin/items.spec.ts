import { expect, test } from "vitest";
import { LIMIT_MAX, page } from "./items.ts";

test("a page has at most so many items, whatever was asked for, and the next goes on after it", () => {
  const items = Array.from({ length: LIMIT_MAX + 2 }, (_, name) => ({ name }));
  const first = page(items, { limit: String(LIMIT_MAX + 1) });
  expect(first).toEqual({ items: items.slice(0, LIMIT_MAX), next: String(LIMIT_MAX) });
  expect(page(items, { cursor: String(first.next) })).toEqual({ items: items.slice(LIMIT_MAX), next: null });
});
