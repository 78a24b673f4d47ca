/**
 * Pods' proxies come through one TLS door (design §4): each stream shows its pod's projected service-account token and
 * is bound to that pod, namespace and account. Nothing else of the call says who it is; the node id has to agree with it.
 */
import type { Admission, Streams } from "@hansa/ads";
import type { Timers } from "@hansa/core";
import type { TokenOwner, TokenVerdict } from "@hansa/kube";
import type { PodIdentity } from "../inventory.ts";
import { GATEWAY_PODS_MAX, type GatewayPods } from "./gateway-pods.ts";

export interface DoorProxy {
  readonly pod: PodIdentity;
  readonly streams: () => Streams;
  /** A stream is about to be let in. */
  readonly onCome: () => void;
}

export interface ProxyDoorOptions {
  /** Never rejects. */
  readonly review: (token: string) => Promise<TokenVerdict>;
  readonly timers: Timers;
}

/** A pod's proxy may start before its pod was heard of here. Whoever is sent away comes again after up to 30 s. */
export const UNKNOWN_WAIT_MS = 30_000;
/** Streams that may wait for one pod: its proxy opens one. */
export const UNKNOWN_WAITING_MAX = 8;

type Refusal = Extract<Admission, { kind: "refused" }>;

const refused = (status: Refusal["status"], reason: string): Refusal => ({
  kind: "refused",
  status,
  message: `HSA7030 proxy: ${reason}`,
});

export class ProxyDoor {
  readonly #options: ProxyDoorOptions;
  /** `<ns>/<pod>` → who may come. */
  readonly #proxies = new Map<string, DoorProxy>();
  /** `<ns>/<service account>` → the gateway that its pods are. */
  readonly #gateways = new Map<string, GatewayPods>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(options: ProxyDoorOptions) {
    this.#options = options;
  }

  /** From now on this pod's proxy may come. */
  add(proxy: DoorProxy): void {
    const key = keyOf(proxy.pod);
    this.#proxies.set(key, proxy);
    for (const wake of this.#waiting.get(key) ?? []) wake();
  }

  /** It may not any more, unless another has come in its place. */
  remove(proxy: DoorProxy): void {
    const key = keyOf(proxy.pod);
    if (this.#proxies.get(key) === proxy) this.#proxies.delete(key);
  }

  /** From now on pods of this account may come, and as nothing else. Answers how to take that back. */
  addGateway(gateway: GatewayPods): () => void {
    const { namespace, serviceAccount } = gateway.account;
    const key = `${namespace}/${serviceAccount}`;
    this.#gateways.set(key, gateway);
    return () => {
      if (this.#gateways.get(key) === gateway) this.#gateways.delete(key);
    };
  }

  async admit(authorization: string | undefined): Promise<Admission> {
    const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined)
      return refused("UNAUTHENTICATED", "no service-account token; the stream has to carry its pod's own");
    const verdict = await this.#options.review(token);
    if (verdict.authenticated === undefined)
      return refused("UNAVAILABLE", "the API server does not answer whose the token is; come again");
    if (!verdict.authenticated) return refused("UNAUTHENTICATED", "the token is not accepted");
    const { podName, podUid } = verdict;
    if (podName === undefined || podUid === undefined)
      return refused("PERMISSION_DENIED", "the token is bound to no pod; use the projected one");
    const gateway = this.#gateways.get(`${verdict.namespace}/${verdict.serviceAccount}`);
    if (gateway === undefined) return await this.#bind(verdict, `${verdict.namespace}/${podName}`);
    const streams = gateway.of(podUid);
    if (streams !== undefined) return { kind: "admitted", streams };
    return refused("RESOURCE_EXHAUSTED", `${GATEWAY_PODS_MAX} pods are this gateway already`);
  }

  async #bind(owner: TokenOwner, key: string): Promise<Admission> {
    if ((this.#waiting.get(key)?.size ?? 0) >= UNKNOWN_WAITING_MAX)
      return refused("RESOURCE_EXHAUSTED", `${UNKNOWN_WAITING_MAX} streams wait for pod ${key} already`);
    if (!this.#isKnown(owner, key)) await this.#heardOf(owner, key);
    const proxy = this.#proxies.get(key);
    if (proxy === undefined || proxy.pod.uid !== owner.podUid)
      return refused("UNAVAILABLE", `pod ${key} is not known as one with a proxy; come again`);
    if (proxy.pod.serviceAccount !== owner.serviceAccount)
      return refused("PERMISSION_DENIED", `pod ${key} does not run as ${owner.serviceAccount}`);
    proxy.onCome();
    return { kind: "admitted", streams: proxy.streams() };
  }

  #isKnown({ podUid }: TokenOwner, key: string): boolean {
    return this.#proxies.get(key)?.pod.uid === podUid;
  }

  #heardOf(owner: TokenOwner, key: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const done = (): void => {
        timer.cancel();
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(key);
        resolve();
      };
      const wake = (): void => {
        if (this.#isKnown(owner, key)) done();
      };
      const timer = this.#options.timers.after(UNKNOWN_WAIT_MS, done);
      waiting.add(wake);
    });
  }
}

const keyOf = ({ namespace, name }: PodIdentity): string => `${namespace}/${name}`;
