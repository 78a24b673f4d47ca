/**
 * Would this caller be let in? Decided per exporter from what its sidecars enforce: its own trust domain, and the
 * principals of its allow policies. Everything else is denied.
 */
import { type ClusterName, parseWorkloadId, SYSTEM_NAMESPACE } from "@hansa/core";
import { exportersOf } from "../view/merge.ts";
import type { FederationReader, Sight } from "../view/reader.ts";

import { admits, allowsBy, allowsOf } from "./callers.ts";

/** States in which a cluster is a mesh of its own. */
const OUT: readonly string[] = ["left", "evicted"];

export type Verdict = "allow" | "deny";

export interface ExporterDecision {
  readonly cluster: ClusterName;
  readonly verdict: Verdict;
  /** `own trust domain`, `policy <ns>/<name>`, or `default deny`. */
  readonly by: string;
  readonly message: string;
  /** Register names that made it so. */
  readonly because: readonly string[];
}

export interface AccessDecision {
  /** Allow where at least one exporter lets the caller in. */
  readonly verdict: Verdict;
  readonly by: string;
  readonly message: string;
  /** Each exporter that the caller's cluster sees, in order of names. */
  readonly exporters: readonly ExporterDecision[];
}

export function decideAccess(
  fed: FederationReader,
  callerId: string,
  namespace: string,
  name: string,
): AccessDecision {
  const deny = (by: string, message: string): AccessDecision => ({
    verdict: "deny",
    by,
    message,
    exporters: [],
  });
  const caller = parseWorkloadId(callerId);
  if (caller === undefined)
    return deny(
      "identity",
      `"${callerId}" is not an identity of the form spiffe://<cluster>.<federation>/ns/<ns>/sa/<sa>`,
    );
  const member = fed.members().find(({ trustDomain }) => trustDomain === caller.trustDomain);
  if (member === undefined)
    return deny("membership", `trust domain ${caller.trustDomain} is not that of a member`);
  const sight: Sight = { fed, observer: member.cluster };
  const exporters = exportersOf(sight, namespace, name)
    .map(({ cluster, because }) => decideAt(sight, cluster, callerId, namespace, name, because))
    .sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  if (exporters.length === 0 && OUT.includes(member.state))
    return deny(
      "membership",
      `${member.cluster} has left or was evicted: nobody but itself admits its callers`,
    );
  if (exporters.length === 0)
    return deny("no exporter", `no cluster offers ${name}.${namespace} to ${member.cluster}`);
  const allowing = exporters.filter(({ verdict }) => verdict === "allow");
  const deciding = allowing[0] ?? exporters[0]!;
  const refusing = exporters.filter(({ verdict }) => verdict === "deny").map(({ cluster }) => cluster);
  const but = allowing.length > 0 && refusing.length > 0 ? `; refused by ${refusing.join(", ")}` : "";
  return { verdict: deciding.verdict, by: deciding.by, message: `${deciding.message}${but}`, exporters };
}

function decideAt(
  sight: Sight,
  exporter: ClusterName,
  callerId: string,
  namespace: string,
  name: string,
  service: string,
): ExporterDecision {
  if (exporter === sight.observer) {
    const message = `${exporter} admits its own trust domain`;
    return { cluster: exporter, verdict: "allow", by: "own trust domain", message, because: [service] };
  }
  const policies = allowsOf(allowsBy(sight, exporter), namespace, name);
  const policy = policies.find(({ callers }) => callers.some((principal) => admits(principal, callerId)));
  if (policy !== undefined)
    return {
      cluster: exporter,
      verdict: "allow",
      by: `policy ${policy.name}`,
      message: `${exporter} admits the caller by policy ${policy.name}`,
      because: [policy.because],
    };
  return {
    cluster: exporter,
    verdict: "deny",
    by: "default deny",
    message: `${exporter} ${whyDenied(callerId, policies.length)}`,
    because: policies.map(({ because }) => because),
  };
}

function whyDenied(callerId: string, policies: number): string {
  if (policies === 0) return "has no allow policy for this service; other clusters are denied by default";
  const system = parseWorkloadId(callerId)?.namespace === SYSTEM_NAMESPACE;
  const hint = system ? " (identities of the mesh itself are never admitted by `*`)" : "";
  return `admits other callers by ${policies} allow ${policies === 1 ? "policy" : "policies"}, but not this one${hint}`;
}
