/** What goes into and comes out of a DeltaStream, and its limits. */
import type { Code } from "@hansa/core";
import type { ResourceLayer } from "./layer.ts";
import type { ProxyMemory } from "./rejections.ts";
import type { Nack } from "./subscription.ts";

export interface StreamLimits {
  /** Types per stream. */
  readonly typesMax: number;
  /** Names that one stream may subscribe to, per type. */
  readonly subscriptionsMax: number;
  /** A response is closed above this; gRPC clients refuse messages above 4 MiB. A larger resource travels alone. */
  readonly responseBytesMax: number;
  /** Answers to subscriptions that may be unacknowledged at once, per type; pushes wait for the last of them. */
  readonly answersInFlightMax: number;
  /** Listeners and routes wait at most so long for the client to ask for the endpoints of a new cluster. */
  readonly warmingMaxMs: number;
  /** How long a client that comes back waits with its listeners and routes until it has asked for clusters. */
  readonly resumeMaxMs: number;
  /** Pause before the parts of a refused response are tried one by one. */
  readonly isolationDelayMs: number;
}

export const STREAM_LIMITS: StreamLimits = {
  typesMax: 32,
  subscriptionsMax: 100_000,
  responseBytesMax: 2 << 20,
  answersInFlightMax: 16,
  warmingMaxMs: 250,
  resumeMaxMs: 2000,
  isolationDelayMs: 1000,
};

export interface StreamOptions {
  /** In order of precedence: the owner's own layer first. */
  readonly layers: readonly ResourceLayer[];
  /** Node id that the stream must name; undefined = any. */
  readonly owner?: string;
  /** Of the proxy, kept over its streams. */
  readonly memory?: ProxyMemory;
  readonly limits?: Partial<StreamLimits>;
  readonly nowMs: () => number;
  /** `pump` may have something to send now. Called from inside commits of a layer. */
  readonly onWork: () => void;
}

export type Outcome =
  | { readonly kind: "none" | "stale"; readonly typeUrl: string }
  | {
      readonly kind: "ack";
      readonly typeUrl: string;
      readonly revision: number;
      readonly streamRevision: number;
    }
  | {
      readonly kind: "nack";
      readonly typeUrl: string;
      readonly nack: Nack;
      readonly blamed: readonly string[];
    }
  | {
      readonly kind: "refused";
      readonly status: "INVALID_ARGUMENT" | "PERMISSION_DENIED" | "RESOURCE_EXHAUSTED";
      readonly code: Code;
      readonly message: string;
    };

/** What `hansa proxy status` shows. Revisions are those that commits of the layers answered. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly wildcard: boolean;
  readonly named: number;
  /** Everything up to here was sent, or acknowledged. */
  readonly sent: number;
  readonly acked: number;
  readonly inFlight: number;
  readonly nack: Nack | undefined;
}
