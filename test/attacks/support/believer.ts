/**
 * Doubles of the fold: readers without its defences, to show what an attack would do to them. A believer takes a log for
 * what it says: no signature, no chain, one table for all writers, the last to arrive wins.
 */
import type { BusRecord, Heartbeat } from "@hansa/events";
import type { Federation, FederationReader } from "@hansa/model";

interface Said {
  readonly key: string;
  readonly data: unknown;
}

export class Believer {
  readonly registers = new Map<string, unknown>();
  readonly #heads = new Map<string, string>();
  /** Logs that somebody has called double-tongued. */
  readonly frozen = new Set<string>();

  /** Ends at the first body that is no JSON, as a reader without quarantine does. */
  read(records: readonly BusRecord[]): this {
    for (const { record } of records)
      for (const { key, data } of JSON.parse(
        new TextDecoder("utf8", { fatal: true }).decode(record.body),
      ) as Said[])
        this.registers.set(key, data);
    return this;
  }

  /** Knows heads by their position alone, and believes every contradiction. */
  hear(beat: Pick<Heartbeat, "own" | "known">): void {
    for (const { source, lane, epoch, seq, head } of [...beat.own, ...beat.known]) {
      const place = `${source} ${lane} ${epoch}.${seq}`;
      const known = this.#heads.get(place) ?? head;
      this.#heads.set(place, known);
      if (known !== head) this.frozen.add(source);
    }
  }
}

/** The fold with every register in effect, whoever wrote it and whatever it was granted, and every age as it is told. */
export const ungranted = (fed: Federation): FederationReader => ({
  options: fed.options,
  members: () =>
    fed.members().map((member) => ({ ...member, membership: { ...member.membership, admittedMs: 0 } })),
  member: (cluster) => fed.member(cluster),
  effective: (cluster, key) => fed.get(cluster, key),
  effect: (_cluster, view) => view,
  ofType: (cluster, type) => fed.ofType(cluster, type),
  ofService: (cluster, namespace, name) => fed.ofService(cluster, namespace, name),
  serviceNames: (cluster) => fed.serviceNames(cluster),
});
