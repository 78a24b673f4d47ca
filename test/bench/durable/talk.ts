/** What the benchmark and its members say to each other over IPC. */

/** One record that the bus has acknowledged, after the outbox had synced it. */
export interface Acked {
  readonly source: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
  readonly hash: string;
}

export type Order =
  | {
      readonly do: "join";
      readonly cluster: string;
      readonly folder: string;
      readonly servers: readonly string[];
      readonly caPem: string;
      readonly token: string;
      readonly endpoints: number;
    }
  /** Offer so many changes in all, as fast as they are taken. */
  | { readonly do: "load"; readonly changes: number }
  | { readonly do: "end" };

export type Told =
  /** Everything of the beginning is acknowledged. */
  | { readonly told: "joined" }
  | { readonly told: "acked"; readonly records: readonly Acked[] }
  /** All changes are acknowledged; the digest of each lane as its writer has it. */
  | {
      readonly told: "loaded";
      readonly digests: readonly {
        readonly source: string;
        readonly lane: string;
        readonly digest: string;
      }[];
      readonly overflowed: number;
    };
