/**
 * The cluster's own DNS: a block of its Corefile that forwards clusterset.local to the agent, between two marks so that it
 * is found again. Whatever else stands there is its administrator's and stays.
 */
import { HansaError } from "@hansa/core";
import type { Resource, Target } from "@hansa/kube";
import { object, text } from "../shell/api.ts";
import type { Applied } from "./apply.ts";
import type { KubeDoor } from "./door.ts";
import { FIELD_MANAGER, NAMESPACE } from "./place.ts";

const SERVICES: Resource = { group: "", version: "v1", plural: "services", namespaced: true };
const COREDNS: Target = {
  resource: { group: "", version: "v1", plural: "configmaps", namespaced: true },
  namespace: "kube-system",
  name: "coredns",
};
const PLACE = `ConfigMap ${COREDNS.namespace}/${COREDNS.name}`;
export const NO_COREFILE = `has no ${PLACE} with a Corefile: let its DNS forward clusterset.local to the Service ${NAMESPACE}/hansa-dns by its own means`;
const BLOCK = /\n*# hansa: begin\n[\s\S]*?# hansa: end\n/;

export const stanza = (address: string): string =>
  `clusterset.local:53 {\n    errors\n    cache 5\n    forward . ${address}\n}\n`;

/** `block` "": without it. */
export function withBlock(corefile: string, block: string): string {
  const others = corefile.replace(BLOCK, "\n");
  return block === "" ? others : `${others.trimEnd()}\n\n# hansa: begin\n${block}# hansa: end\n`;
}

/** Where the agent answers names. */
export async function dnsAddress(door: KubeDoor): Promise<string> {
  const service = await door.read({ resource: SERVICES, namespace: NAMESPACE, name: "hansa-dns" });
  return text(object(service?.spec).clusterIP);
}

/** Throws HSA7040 where there is no such DNS to change. */
export async function forwardClusterSet(door: KubeDoor, address: string): Promise<Applied> {
  const corefile = await readCorefile(door);
  if (corefile === undefined) throw new HansaError("HSA7040", `context ${door.context}: dns: ${NO_COREFILE}`);
  const block = stanza(address);
  // Another's zone of this name would make CoreDNS refuse the whole file.
  if (/^\s*clusterset\.local\b/m.test(withBlock(corefile, "")))
    return { object: `${PLACE} (has the zone already)`, outcome: "unchanged" };
  return await write(door, corefile, withBlock(corefile, block));
}

/** Undefined where there was nothing to take back. */
export async function unforwardClusterSet(door: KubeDoor): Promise<Applied | undefined> {
  const corefile = await readCorefile(door);
  if (corefile === undefined || !BLOCK.test(corefile)) return undefined;
  return await write(door, corefile, withBlock(corefile, ""));
}

export async function readCorefile(door: KubeDoor): Promise<string | undefined> {
  const { Corefile } = object((await door.read(COREDNS))?.data);
  return typeof Corefile === "string" ? Corefile : undefined;
}

async function write(door: KubeDoor, before: string, after: string): Promise<Applied> {
  if (after === before) return { object: PLACE, outcome: "unchanged" };
  await door.send({
    method: "PATCH",
    target: COREDNS,
    query: { fieldManager: FIELD_MANAGER },
    contentType: "application/json-patch+json",
    // Changed meanwhile by another: refused, and nothing of his is lost.
    body: [
      { op: "test", path: "/data/Corefile", value: before },
      { op: "replace", path: "/data/Corefile", value: after },
    ],
  });
  return { object: PLACE, outcome: "changed" };
}
