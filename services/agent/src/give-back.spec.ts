import { expect, it } from "vitest";
import { isDue } from "./give-back.ts";

const MIB = 2 ** 20;
const look = (besideHeapMib: number, cpuShare: number) => ({
  besideHeapBytes: besideHeapMib * MIB,
  cpuShare,
});

it.each([
  ["much is free and nothing happens", look(150, 0.01), true],
  ["much is free and something happens", look(150, 0.1), false],
  ["little is free", look(120, 0.01), false],
] as const)("%s", (_name, seen, due) => {
  expect(isDue(seen, 100 * MIB)).toBe(due);
});
