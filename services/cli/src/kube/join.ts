/**
 * `hansa cluster join --context`: installs the agent and its gateway in a Kubernetes cluster, and reports success only when the
 * agent is a member and calls' way has been measured in both directions. Run again it changes what is different and no more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError } from "@hansa/core";
import type { KubeObject } from "@hansa/kube";
import { stringify } from "yaml";
import { verified } from "../cluster/join.ts";
import { readTicket, type Ticket } from "../cluster/join-config.ts";
import type { RoundTrip } from "../cluster/round-trip.ts";
import { rtt } from "../mesh/listings.ts";
import { object, text } from "../shell/api.ts";
import { durationOption } from "../shell/moment.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { type Applied, apply, established, remove } from "./apply.ts";
import { agentPaths } from "./check-facts.ts";
import { dnsAddress, forwardClusterSet, stanza } from "./cluster-dns.ts";
import { type KubeDoor, openDoor } from "./door.ts";
import { agentObjects, type Base, isBefore, joinSecret, readBase } from "./installation.ts";
import { agentState, agentTarget, type Installed, installedAgent } from "./installed.ts";
import { type Manifest, targetOf, textOfObject } from "./objects.ts";
import { GATEWAY_SERVICE, NAMESPACE } from "./place.ts";
import { mustPass, preflight } from "./preflight.ts";
import { balancerAddress, type Settings, settingsOf } from "./settings.ts";

const POLL_MS = 500;
const TIMEOUT_MAX_MS = 3_600_000;

export const action: Action = async (_shell, _args, options) => {
  const token = String(options.token ?? process.env.HANSA_JOIN_TOKEN ?? "").trim();
  const timeoutMs = durationOption("--timeout", options.timeout, 1000, TIMEOUT_MAX_MS);
  const ticket = token === "" ? undefined : readTicket(token);
  const door = await openDoor(String(options.context));
  try {
    const installed = await installedAgent(door);
    mustBeOurs(door, installed, ticket);
    const settings = settingsOf(options, ticket, installed?.config);
    const base = readBase();
    if (options.dryRun === true) return dryRun(base, settings);
    return await install({ door, base, settings, token, deadline: performance.now() + timeoutMs });
  } finally {
    door.close();
  }
};

/** Throws HSA7042. */
function mustBeOurs(
  { context }: KubeDoor,
  installed: Installed | undefined,
  ticket: Ticket | undefined,
): void {
  if (installed === undefined) return;
  const { cluster, helm } = installed;
  if (helm !== "")
    throw new HansaError(
      "HSA7042",
      `context ${context}: Helm's release ${helm} has installed the agent; change it with helm upgrade`,
    );
  if (ticket !== undefined && ticket.cluster !== cluster)
    throw new HansaError(
      "HSA7042",
      `context ${context}: is ${cluster} in the federation; the token is for ${ticket.cluster}`,
    );
}

interface Install {
  readonly door: KubeDoor;
  readonly base: Base;
  readonly settings: Settings;
  readonly token: string;
  readonly deadline: number;
}

async function install({ door, base, settings, token, deadline }: Install) {
  const objects = agentObjects(base.agent, settings);
  const findings = await preflight(door, settings, [...base.namespace, ...base.crds, ...objects], Date.now);
  for (const { check, ok, message } of findings) say(`${ok ? "ok" : "--"}  ${check}: ${message}`);
  mustPass(door.context, findings);
  const wasReady = (await agentState(door)).ready;
  const crds = await missingKinds(door, base.crds);
  const applied = await apply(door, [...base.namespace, ...crds]);
  await established(door, crds);
  applied.push(...(await apply(door, objects.filter(isBefore))));
  const address =
    settings.address || (settings.serviceType === "LoadBalancer" ? await balancer(door, deadline) : "");
  // A member needs its token no more, and another one would make it join anew.
  if (token !== "" && !wasReady) await apply(door, [joinSecret(token)]);
  applied.push(
    ...(await apply(
      door,
      objects.filter((manifest) => !isBefore(manifest)),
    )),
  );
  const dns = await dnsAddress(door);
  if (settings.patchDns) applied.push(await forwardClusterSet(door, dns));
  for (const { object: name, outcome } of applied) if (outcome !== "unchanged") say(`${outcome}  ${name}`);
  await ready(door, settings, deadline);
  await remove(door, [joinSecret("")], deadline);
  say(`${settings.cluster}'s agent is ready; measuring the way to the other clusters`);
  for (const { to, address: at, isNarrow } of (await agentPaths(door)) ?? [])
    if (isNarrow) say(`--  path: packets of full size are lost on the way to ${to} at ${at} (HSA1013)`);
  const target = agentTarget(door);
  const trips = await verified(target, { cluster: settings.cluster, gateway: "gw" }, [], deadline);
  return report(door, settings, { address: address || "its nodes", dns }, applied, trips);
}

/** The MCS API may be there already, from another hand: it stays as it is. */
async function missingKinds(door: KubeDoor, crds: readonly Manifest[]): Promise<Manifest[]> {
  const kept: Manifest[] = [];
  for (const crd of crds) {
    const labels = object((await door.read(targetOf(crd)))?.metadata.labels);
    const isAnothers = Object.keys(labels).length > 0 && labels["app.kubernetes.io/part-of"] !== "hansa";
    if (isAnothers) say(`kept  ${textOfObject(crd)}: it was installed by another`);
    else kept.push(crd);
  }
  return kept;
}

/** Throws HSA1009. */
async function balancer(door: KubeDoor, deadline: number): Promise<string> {
  const resource = { group: "", version: "v1", plural: "services", namespaced: true };
  let isTold = false;
  for (;;) {
    const service: KubeObject | undefined = await door.read({
      resource,
      namespace: NAMESPACE,
      name: GATEWAY_SERVICE,
    });
    const address = balancerAddress(service);
    if (address !== "") return address;
    if (performance.now() > deadline)
      throw new HansaError(
        "HSA1009",
        `Service ${NAMESPACE}/${GATEWAY_SERVICE}: has got no address from a load balancer; give one with --address, with --service NodePort where the cluster has no load balancer`,
      );
    if (!isTold) say("waiting: the load balancer's address");
    isTold = true;
    await sleep(POLL_MS);
  }
}

/** Throws HSA1009 with what the pod says. */
async function ready(door: KubeDoor, { cluster }: Settings, deadline: number): Promise<void> {
  let told = "";
  for (;;) {
    const { ready: isReady, reason } = await agentState(door);
    if (isReady) return;
    if (performance.now() > deadline)
      throw new HansaError("HSA1009", `${cluster}'s agent is not ready: ${reason}; what is installed stays`);
    if (reason !== told) say(`waiting: ${reason}`);
    told = reason;
    await sleep(POLL_MS);
  }
}

/** stdout is manifests alone: for a repository, or `kubectl apply -f -`. */
function dryRun(base: Base, settings: Settings) {
  say(
    `the join token is left out: kubectl -n ${NAMESPACE} create secret generic hansa-join --from-literal=token=TOKEN`,
  );
  const items = [...base.namespace, ...base.crds, ...agentObjects(base.agent, settings)];
  return {
    kind: "Manifests",
    data: { items },
    text: () => items.map((item) => stringify(item, { aliasDuplicateObjects: false })).join("---\n"),
  };
}

function report(
  door: KubeDoor,
  { cluster, port, patchDns }: Settings,
  { address, dns }: { readonly address: string; readonly dns: string },
  applied: readonly Applied[],
  trips: readonly RoundTrip[],
) {
  return {
    kind: "Joined",
    data: { cluster, context: door.context, gateway: `${address}:${port}`, applied, roundTrips: trips },
    text: () =>
      [
        `${cluster} has joined; its gateway is ${address}:${port}`,
        trips.length === 0
          ? "it is the first member"
          : table(
              ["PEER", "THERE", "BACK", "RTT"],
              trips.map(({ peer, there, back, rttMs }) => [
                peer,
                there ? "yes" : "no",
                back ? "yes" : "no",
                rtt(rttMs),
              ]),
            ).trimEnd(),
        ...(patchDns || dns === ""
          ? []
          : [
              `\nfor names under clusterset.local add this to the DNS of ${door.context} (--patch-dns does it):\n`,
              stanza(dns)
                .replaceAll(/^(?=.)/gm, "  ")
                .trimEnd(),
            ]),
        `\ncheck it: hansa check --context ${text(door.context)}`,
      ].join("\n"),
  };
}
