/**
 * The Bundle Map's memory: what was published of each trust domain. A lower sequence than the published one is a
 * rollback and is refused: outsiders keep seeing the newer bundle. So is another bundle under the published sequence.
 */
import { canonicalJson } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import { type Store, hashSecret as sha256 } from "@hansa/store";

export interface Published {
  readonly bundles: readonly BundleValue[];
  /** Of the whole map: +1 at each change. */
  readonly sequence: number;
}

interface Row {
  readonly trust_domain: string;
  readonly sequence: number;
  readonly digest: string;
  readonly bundle: BundleValue | null;
  readonly map_sequence: number;
}

/** `bundles` = one per live member. Domains that are gone leave the map; their sequence stays remembered. */
export function publishedBundles(store: Store, bundles: readonly BundleValue[]): Promise<Published> {
  return store.db.transaction(async (tx) => {
    await tx.query("lock table bundle_map in share row exclusive mode");
    const rows = await tx.query<Row>("select * from bundle_map");
    const before = new Map(rows.map((row) => [row.trust_domain, row]));
    const sequence = Math.max(0, ...rows.map((row) => row.map_sequence));
    const changed: Row[] = [];
    const shown: BundleValue[] = [];
    for (const bundle of bundles) {
      const known = before.get(bundle.trustDomain);
      before.delete(bundle.trustDomain);
      const digest = sha256(canonicalJson(bundle.roots));
      const isRollback = known !== undefined && bundle.sequence < known.sequence;
      const isFork = known !== undefined && bundle.sequence === known.sequence && digest !== known.digest;
      if (known !== undefined && known.bundle !== null && (isRollback || isFork)) {
        shown.push(known.bundle);
        continue;
      }
      if (isRollback || isFork) continue;
      shown.push(bundle);
      if (known === undefined || known.bundle === null || known.sequence !== bundle.sequence)
        changed.push({
          trust_domain: bundle.trustDomain,
          sequence: bundle.sequence,
          digest,
          bundle,
          map_sequence: sequence + 1,
        });
    }
    for (const gone of before.values())
      if (gone.bundle !== null) changed.push({ ...gone, bundle: null, map_sequence: sequence + 1 });
    for (const row of changed)
      await tx.query(
        `insert into bundle_map (trust_domain, sequence, digest, bundle, map_sequence) values ($1, $2, $3, $4, $5)
         on conflict (trust_domain) do update set sequence = excluded.sequence, digest = excluded.digest,
           bundle = excluded.bundle, map_sequence = excluded.map_sequence`,
        [
          row.trust_domain,
          row.sequence,
          row.digest,
          row.bundle === null ? null : JSON.stringify(row.bundle),
          row.map_sequence,
        ],
      );
    return { bundles: shown, sequence: changed.length > 0 ? sequence + 1 : sequence };
  });
}
