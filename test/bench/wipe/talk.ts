/** What the benchmark and its members say to each other over IPC. */
import type { Head } from "@hansa/events";

export type Order =
  | {
      readonly do: "join";
      readonly cluster: string;
      readonly folder: string;
      readonly servers: readonly string[];
      readonly caPem: string;
      readonly token: string;
    }
  /** Begins to follow; with services it writes them, without it only reads. */
  | { readonly do: "start"; readonly services: number }
  | { readonly do: "look" }
  /** A digest of services, loads and endpoints alone: what agents say of each other and ask for comes and goes. */
  | { readonly do: "facts" }
  | { readonly do: "end" };

/** What one agent holds. */
export interface State {
  /** Of its whole fold. */
  readonly digest: string;
  /** Every log as the fold has it, own ones included. */
  readonly heads: readonly Head[];
  /** Its own logs as their writers have them. */
  readonly own: readonly (Head & { readonly digest: string })[];
  /** Whether the fold's digest of each own log is its writer's. */
  readonly ownAgrees: boolean;
  readonly pending: number;
  readonly synced: boolean;
  /** Of the stream; undefined while the bus does not answer. */
  readonly incarnation: string | undefined;
}

export type Told =
  | { readonly told: "joined" }
  | { readonly told: "started" }
  | { readonly told: "state"; readonly state: State }
  | { readonly told: "facts"; readonly digest: string; readonly registers: number };
