/**
 * A gateway's addresses as registers: one for each, so that one that goes takes no other with it. Pure. The own log is the memory
 * of what a gateway had: while a name is not resolved, that holds.
 */
import { isIP } from "node:net";
import { gatewayKey } from "@hansa/events";

/** IP addresses of a host name; undefined: not resolved yet. `before` = what is told of its gateway now. */
export type Resolve = (hostname: string, before: readonly string[]) => readonly string[] | undefined;

export interface GatewayRegister {
  readonly key: string;
  readonly value: { readonly address: string };
}

/** A label: 23 characters, a dash, and the 39 of the longest address. `fd00::` would end with a dash. */
const registerOf = (name: string, address: string): string =>
  `${name.slice(0, 23)}-${`${address}.`.replaceAll(/[.:]/g, "-").replace(/--$/, "-0-").slice(0, -1)}`;

/** Those of the registers that are this gateway's. */
export const registersOf = <Register extends GatewayRegister>(
  name: string,
  registers: Iterable<Register>,
): Register[] =>
  [...registers].filter(
    ({ key, value }) => key === gatewayKey(name) || key === gatewayKey(registerOf(name, value.address)),
  );

/** Each address once, in order, with the name of its register; undefined where a host name is not resolved yet. */
export function namedAddresses(
  name: string,
  given: readonly string[],
  resolve: Resolve,
  before: readonly GatewayRegister[],
): readonly { readonly name: string; readonly address: string }[] | undefined {
  const told = before.map(({ value }) => value.address);
  const found = given.map((one) => (isIP(one) === 0 ? resolve(one, told) : [one]));
  if (found.includes(undefined)) return undefined;
  const addresses = [...new Set(found.flatMap((one) => one ?? []))].sort();
  // A host name's are named by themselves also where it has one alone: tomorrow it has two.
  const isOne = addresses.length === 1 && given.every((one) => isIP(one) !== 0);
  return addresses.map((address) => ({ name: isOne ? name : registerOf(name, address), address }));
}
