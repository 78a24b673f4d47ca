/** `decideAccess` with the positions of the registers behind it. */
import type { ClusterName } from "@hansa/core";
import { type Cause, causes } from "../view/explain-route.ts";
import type { FederationReader } from "../view/reader.ts";
import { decideAccess, type Verdict } from "./access.ts";

export interface AccessExplanation {
  readonly caller: string;
  readonly namespace: string;
  readonly service: string;
  readonly verdict: Verdict;
  readonly by: string;
  readonly message: string;
  readonly exporters: readonly {
    readonly cluster: ClusterName;
    readonly verdict: Verdict;
    readonly by: string;
    readonly message: string;
    readonly because: readonly Cause[];
  }[];
}

export function explainAccess(
  fed: FederationReader,
  callerId: string,
  namespace: string,
  name: string,
): AccessExplanation {
  const { verdict, by, message, exporters } = decideAccess(fed, callerId, namespace, name);
  return {
    caller: callerId,
    namespace,
    service: name,
    verdict,
    by,
    message,
    exporters: exporters.map((entry) => ({ ...entry, because: causes(fed, entry.cluster, entry.because) })),
  };
}
