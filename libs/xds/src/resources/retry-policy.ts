/**
 * What may be sent twice (envoy-dataplane §4.2). Idempotent methods retry on everything that failed; the rest only
 * where no server can have acted: no connection, a refused stream, nothing sent, or a sidecar's word that its
 * application never saw it. Every retry leaves the host and the priority that failed.
 */
import {
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  type RetryPolicySchema,
} from "../../gen/index.ts";
import { HOST_SELECTION_ATTEMPTS, RETRIES, RETRY_BASE_MS, RETRY_MAX_MS } from "./limits.ts";
import { UNSENT_HEADER } from "./local-reply.ts";
import { duration, extension, type Init } from "./message.ts";

/** RFC 9110 §9.2.2, without the methods that Envoy's own codecs treat apart (CONNECT, TRACE). */
export const IDEMPOTENT_METHODS = "GET|HEAD|OPTIONS|PUT|DELETE";

const UNACTED = ["connect-failure", "refused-stream", "reset-before-request", "retriable-headers"];
const REPEATABLE = [...UNACTED, "reset", "gateway-error", "unavailable"];

const policy = (retryOn: readonly string[]): Init<typeof RetryPolicySchema> => ({
  retryOn: retryOn.join(","),
  numRetries: RETRIES,
  hostSelectionRetryMaxAttempts: BigInt(HOST_SELECTION_ATTEMPTS),
  retryBackOff: { baseInterval: duration(RETRY_BASE_MS), maxInterval: duration(RETRY_MAX_MS) },
  retriableHeaders: [{ name: UNSENT_HEADER, headerMatchSpecifier: { case: "presentMatch", value: true } }],
  retryHostPredicate: [
    extension("envoy.retry_host_predicates.previous_hosts", PreviousHostsPredicateSchema, {}),
  ],
  retryPriority: extension("envoy.retry_priorities.previous_priorities", PreviousPrioritiesConfigSchema, {
    updateFrequency: 1,
  }),
});

export const idempotentRetries = (): Init<typeof RetryPolicySchema> => policy(REPEATABLE);
export const safeRetries = (): Init<typeof RetryPolicySchema> => policy(UNACTED);
