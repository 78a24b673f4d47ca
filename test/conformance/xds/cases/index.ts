/** All cases, in the order of the rules they test. */
import type { Case } from "../case.ts";
import { acks } from "./acks.ts";
import { basics } from "./basics.ts";
import { limitsAndOwner } from "./limits.ts";
import { missingAndRemoved } from "./missing.ts";
import { ordering } from "./ordering.ts";
import { backPressure } from "./pressure.ts";
import { reconnects } from "./reconnects.ts";
import { subscriptions } from "./subscriptions.ts";

const order = ({ id }: Case): number => {
  const [rule = 0, corner = 0] = id.split(".").map(Number);
  return rule * 1000 + corner;
};

export const CASES: readonly Case[] = [
  ...basics,
  ...acks,
  ...subscriptions,
  ...missingAndRemoved,
  ...reconnects,
  ...ordering,
  ...backPressure,
  ...limitsAndOwner,
].sort((a, b) => order(a) - order(b));
