/**
 * Streams of one gateway whose Envoys are pods of their own: each pod that runs as its service account is one of them, and all
 * have the same layers. Owns how many there may be.
 */
import type { Streams } from "@hansa/ads";
import type { ProxyServer } from "../plane-options.ts";

/** Twice what an autoscaler is let to make, while all of them are replaced. */
export const GATEWAY_PODS_MAX = 64;

export interface GatewayAccount {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export class GatewayPods {
  readonly account: GatewayAccount;
  readonly #open: () => Streams;
  /** By the pod's uid; the newest last. */
  readonly #pods = new Map<string, Streams>();

  constructor(account: GatewayAccount, open: () => Streams) {
    this.account = account;
    this.#open = open;
  }

  /** undefined where there are too many. */
  of(podUid: string): Streams | undefined {
    const known = this.#pods.get(podUid);
    if (known !== undefined) return known;
    if (this.#pods.size >= GATEWAY_PODS_MAX)
      for (const [uid, streams] of this.#pods) if (streams.status().streams === 0) this.#pods.delete(uid);
    if (this.#pods.size >= GATEWAY_PODS_MAX) return undefined;
    const streams = this.#open();
    this.#pods.set(podUid, streams);
    return streams;
  }

  /** All of them as one server. */
  server(onClose: () => void): ProxyServer {
    const all = () => [...this.#pods.values()];
    return {
      ackedRevision: () => {
        const acked = all().flatMap((streams) => streams.ackedRevision() ?? []);
        return acked.length === 0 ? undefined : Math.min(...acked);
      },
      status: () => {
        const open = all()
          .map((streams) => streams.status())
          .filter(({ streams }) => streams > 0);
        return {
          streams: open.reduce((sum, { streams }) => sum + streams, 0),
          types: open.at(-1)?.types ?? [],
        };
      },
      close: async () => {
        onClose();
        for (const streams of all()) streams.close();
      },
    };
  }
}
