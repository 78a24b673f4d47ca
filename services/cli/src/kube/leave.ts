/**
 * `hansa cluster leave --context`: drains the cluster, ends its membership at the hub, and only then removes the agent. The volume with
 * its keys stays unless --purge: without them nobody comes back under this name.
 */
import { HansaError } from "@hansa/core";
import type { Resource } from "@hansa/kube";
import { action as leaveAction } from "../cluster/leave.ts";
import { memberNamed } from "../mesh/federation.ts";
import { list, object, text } from "../shell/api.ts";
import { loadContext } from "../shell/context.ts";
import { say } from "../shell/output.ts";
import type { Action, Shell } from "../shell/program.ts";
import { remove } from "./apply.ts";
import { unforwardClusterSet } from "./cluster-dns.ts";
import { type KubeDoor, openDoor } from "./door.ts";
import { isBefore, joinSecret, MADE_BY_AGENT, ROOTS, readBase } from "./installation.ts";
import { mustBeInstalled } from "./installed.ts";
import { type Manifest, resourceOf } from "./objects.ts";
import { AGENT, NAMESPACE } from "./place.ts";

const CLAIMS: Resource = { group: "", version: "v1", plural: "persistentvolumeclaims", namespaced: true };

/** The gateway drains for a minute at most. */
const REMOVED_WITHIN_MS = 120_000;

export const action: Action = async (shell, [name], options) => {
  const door = await openDoor(String(options.context));
  try {
    const { cluster, helm } = await mustBeInstalled(door);
    if (name !== undefined && name !== cluster)
      throw new HansaError(
        "HSA7042",
        `context ${door.context}: is ${cluster} in the federation, not ${name}`,
      );
    if (helm !== "")
      throw new HansaError(
        "HSA7042",
        `context ${door.context}: Helm's release ${helm} has installed the agent; \`hansa cluster leave ${cluster}\`, then helm uninstall`,
      );
    // The hub's context is the default one: --context names the cluster here.
    const hub = loadContext(undefined);
    const hubShell: Shell = { ...shell, context: () => hub };
    const { state } = await memberNamed(hub, cluster);
    const isGone = state === "left" || state === "evicted";
    if (isGone) say(`${cluster} is no member any more (${state})`);
    else await leaveAction(hubShell, [cluster], options);
    const { agent } = readBase();
    const objects = [
      ...agent.filter((one) => !isBefore(one)),
      ...MADE_BY_AGENT,
      ...(await rootsEverywhere(door)),
      joinSecret(""),
      ...agent.filter(isBefore),
    ];
    const removed = await remove(door, objects, performance.now() + REMOVED_WITHIN_MS);
    if (options.purge === true && (await purged(door))) removed.push(`PersistentVolumeClaim/data-${AGENT}-0`);
    const forwarded = await unforwardClusterSet(door);
    if (forwarded !== undefined) removed.push(`its part of ${forwarded.object}`);
    for (const object of removed) say(`removed  ${object}`);
    return {
      kind: "ClusterRemoved",
      data: { cluster, context: door.context, removed },
      text: () =>
        `${cluster} has left, and its agent is gone from ${door.context}; namespace ${NAMESPACE} and the kinds of objects stay${options.purge === true ? "" : ", and so do its keys"}`,
    };
  } finally {
    door.close();
  }
};

async function rootsEverywhere(door: KubeDoor): Promise<Manifest[]> {
  const resource = resourceOf({ apiVersion: "v1", kind: "ConfigMap" });
  const query = { fieldSelector: `metadata.name=${ROOTS}` };
  const found = await door.send({ method: "GET", target: { resource }, query });
  return list(found.items).map(({ metadata }) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: ROOTS, namespace: text(object(metadata).namespace) },
  }));
}

async function purged(door: KubeDoor): Promise<boolean> {
  const target = { resource: CLAIMS, namespace: NAMESPACE, name: `data-${AGENT}-0` };
  if ((await door.read(target)) === undefined) return false;
  await door.send({ method: "DELETE", target, body: { apiVersion: "v1", kind: "DeleteOptions" } });
  return true;
}
