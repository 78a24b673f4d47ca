/** 7xxx: Kubernetes API servers and what is kept in them. */
import { type CodeEntry, entry } from "./entry.ts";

export const KUBERNETES_CODES = {
  HSA7001: entry(
    "kube-unreachable",
    69,
    503,
    "The cluster's API server does not answer. What was last read stays in force; nothing is withdrawn.",
    "Check that it runs and that this machine reaches it; the connection comes back by itself.",
  ),
  HSA7002: entry(
    "kube-unauthenticated",
    77,
    401,
    "The API server does not accept the credential, also after the credential was read anew.",
    "Check the token or client certificate of the context or service account named in the message.",
  ),
  HSA7003: entry(
    "kube-forbidden",
    77,
    403,
    "A right is missing in the cluster.",
    "Grant the verb and resource named in the message; the agent's chart grants all that it needs.",
  ),
  HSA7004: entry(
    "kube-credentials",
    65,
    400,
    "The kubeconfig or the service account's files cannot be used.",
    "Mend the place named in the message; `kubectl config view` shows what is read.",
  ),
  HSA7005: entry(
    "kube-not-served",
    69,
    503,
    "The API server does not serve this kind of object.",
    "Install the CRDs (or the version of them) named in the message.",
  ),
  HSA7006: entry(
    "kube-invalid",
    65,
    422,
    "The API server refused an object as not valid.",
    "The message names the field; where Hansa wrote the object, report it with the message.",
  ),
  HSA7007: entry(
    "kube-conflict",
    75,
    409,
    "Another writer owns the field, or the object has changed or was replaced since it was read.",
    "The message names the field and its owner; leave the field to one of the two.",
  ),
  HSA7008: entry(
    "kube-bad-answer",
    69,
    502,
    "The API server, or something in front of it, answered what cannot be read or exceeds a limit.",
    "Look for a proxy between this machine and the API server; the message says what came and where.",
  ),
  HSA7009: entry(
    "kube-overloaded",
    75,
    503,
    "The API server cannot keep up, or too many writes to it wait.",
    "Look at its load and its priority and fairness settings; writing goes on by itself.",
  ),
  HSA7010: entry(
    "kube-shrunk",
    75,
    503,
    "A new list from the API server lacks half or more of what was known; nothing is withdrawn before a second list says the same.",
    "If the API server was restored from a backup, restore the missing objects or let the second list stand.",
  ),
} as const satisfies Record<string, CodeEntry>;
