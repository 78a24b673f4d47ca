/**
 * Registry of stable codes. A code is never re-used and never changes its meaning.
 * 1xxx usage and input · 2xxx log, bus and archive · 3xxx trust and access · 4xxx routing and liveness · 5xxx data plane ·
 * 6xxx lab and set-up · 7xxx Kubernetes. `exit` follows sysexits: 1 internal, 64 usage, 65 input, 69 unreachable, 75 timeout, 77 permission, 79 findings.
 */
import { DATA_PLANE_CODES } from "./codes/data-plane.ts";
import type { CodeEntry } from "./codes/entry.ts";
import { KUBERNETES_CODES } from "./codes/kubernetes.ts";
import { LAB_CODES } from "./codes/lab.ts";
import { LOG_CODES } from "./codes/log.ts";
import { ROUTING_CODES } from "./codes/routing.ts";
import { TRUST_CODES } from "./codes/trust.ts";
import { USAGE_CODES } from "./codes/usage.ts";

export type { CodeEntry };

export const CODES = {
  ...USAGE_CODES,
  ...LOG_CODES,
  ...TRUST_CODES,
  ...ROUTING_CODES,
  ...DATA_PLANE_CODES,
  ...LAB_CODES,
  ...KUBERNETES_CODES,
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

export const isCode = (text: string): text is Code => Object.hasOwn(CODES, text);
