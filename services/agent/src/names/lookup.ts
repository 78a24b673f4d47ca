/** One host name asked of the machine's name servers, or of those that the configuration names, in both families. */
import { promises } from "node:dns";

/** One family's answer. A server that does not answer is no answer; one that says there is no address is. */
export type FamilyAnswer =
  | { readonly kind: "answered"; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: "failed"; readonly reason: string };

/** Never rejects. */
export type Lookup = (name: string) => Promise<readonly FamilyAnswer[]>;

const TIMEOUT_MS = 2000;
const TRIES = 2;
/** NODATA, NXDOMAIN. */
const NOTHING: readonly string[] = ["ENODATA", "ENOTFOUND"];

type Found = readonly { readonly address: string; readonly ttl: number }[];

export function nameServers(servers: readonly string[] | undefined): Lookup {
  return async (name) => {
    // Made anew each time: the machine's servers may be others by now.
    const resolver = new promises.Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers(servers);
    return await Promise.all([
      answered(resolver.resolve4(name, { ttl: true })),
      answered(resolver.resolve6(name, { ttl: true })),
    ]);
  };
}

async function answered(asked: Promise<Found>): Promise<FamilyAnswer> {
  try {
    const found = await asked;
    const ttlMs = Math.min(...found.map(({ ttl }) => ttl)) * 1000;
    return { kind: "answered", addresses: found.map(({ address }) => address), ttlMs };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return NOTHING.includes(code ?? "")
      ? { kind: "answered", addresses: [], ttlMs: Number.POSITIVE_INFINITY }
      : { kind: "failed", reason: code ?? String(error) };
  }
}
