/** What an operator may order, as typed: `evict us`, `rekey us KEY`, `hubkey KEY`, `operators 2 KEY KEY KEY`. Pure. */
import { fromBase64, HansaError } from "@hansa/core";
import type { OperatorOrder } from "@hansa/events";
import { clusterName } from "../shell/names.ts";

export const CLUSTER_ORDERS = ["drain", "undrain", "evict", "admit"] as const;
export type ClusterOrder = (typeof CLUSTER_ORDERS)[number];

const FORMS =
  "drain|undrain|evict|admit CLUSTER, rekey CLUSTER KEY, hubkey KEY, or operators THRESHOLD KEY KEY…";

/** An order before the incarnation of its cluster is known. */
export type OrderText =
  | { readonly do: ClusterOrder; readonly cluster: string }
  | { readonly do: "rekey"; readonly cluster: string; readonly signingKey: string }
  | { readonly do: "hubkey"; readonly key: string }
  | { readonly do: "operators"; readonly keys: readonly string[]; readonly threshold: number };

/** Throws HSA1001 where the words are no order. */
export function parseOrder(text: string): OrderText {
  const [verb = "", ...words] = text.trim().split(/\s+/);
  const problem = (what: string) => new HansaError("HSA1001", `--order "${text}": ${what}; orders: ${FORMS}`);
  const key = (word: string | undefined): string => {
    if (word === undefined || fromBase64(word)?.length !== 32)
      throw problem(`${word ?? "(nothing)"} is not the base64 of a raw Ed25519 public key`);
    return word;
  };
  const only = (count: number) => {
    if (words.length !== count) throw problem(`${verb} needs ${count} ${count === 1 ? "word" : "words"}`);
  };
  const clusterOrder = CLUSTER_ORDERS.find((one) => one === verb);
  if (clusterOrder) {
    only(1);
    return { do: clusterOrder, cluster: clusterName(words[0]) };
  }
  switch (verb) {
    case "rekey":
      only(2);
      return { do: "rekey", cluster: clusterName(words[0]), signingKey: key(words[1]) };
    case "hubkey":
      only(1);
      return { do: "hubkey", key: key(words[0]) };
    case "operators": {
      const [threshold = "", ...keys] = words;
      if (!/^[1-9][0-9]?$/.test(threshold) || Number(threshold) > keys.length)
        throw problem("the threshold must be from 1 to the number of keys");
      if (new Set(keys).size !== keys.length) throw problem("the keys must differ");
      return { do: "operators", threshold: Number(threshold), keys: keys.map(key) };
    }
    default:
      throw problem("is no order");
  }
}

/** `incarnation` is that of the named cluster's membership, null for orders that name none. `keeps`: see OperatorOrder. */
export function completeOrder(
  order: OrderText,
  incarnation: number | null,
  keeps: readonly string[],
): OperatorOrder {
  if (order.do === "operators") return { ...order, keeps };
  if (order.do === "hubkey") return order;
  if (incarnation === null)
    throw new HansaError("HSA1005", `${order.cluster}: no such member, so it has no incarnation to name`);
  return { ...order, incarnation };
}

export function orderInWords(order: OperatorOrder): string {
  switch (order.do) {
    case "hubkey":
      return `hubkey ${order.key}`;
    case "operators":
      return `operators ${order.threshold} of ${order.keys.length}: ${order.keys.join(" ")}`;
    case "rekey":
      return `rekey ${order.cluster} (incarnation ${order.incarnation}) to ${order.signingKey}`;
    default:
      return `${order.do} ${order.cluster} (incarnation ${order.incarnation})`;
  }
}
