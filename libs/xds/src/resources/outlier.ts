/**
 * Passive health: the measured recipe (envoy-dataplane §1.1, §4), and what an answer may do to a host. A gateway is
 * never ejected for what a pod behind it answers (federation §1.5 rule 4): where a cluster has gateway addresses, the
 * only answer that counts is a directly dialled sidecar's own word that its application is gone.
 */
import type { OutlierDetectionSchema } from "../../gen/index.ts";
import { BASE_EJECTION_MS, EJECTION_MAX_MS, OUTLIER_INTERVAL_MS } from "./limits.ts";
import { duration, type Init } from "./message.ts";

/**
 * `gateway-errors`: 502, 503 and 504 count (all hosts are sidecars). `matched`: what the cluster's error matcher names
 * counts. `none`: local-origin failures alone (a passthrough sees no answers).
 */
export type AnswersThatCount = "gateway-errors" | "matched" | "none";

const ANSWERS_BEFORE_EJECTION = 3;
/**
 * Not 100: the last host stays. One dead pod behind the only gateway would eject that gateway, and every call with it,
 * for half a second (measured: 52 to 63 of 500 calls; with 99 at most the one in flight).
 */
const EJECTION_PERCENT_MAX = 99;

export const outlierDetection = (answers: AnswersThatCount): Init<typeof OutlierDetectionSchema> => ({
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 1,
  enforcingConsecutiveLocalOriginFailure: 100,
  consecutiveGatewayFailure: ANSWERS_BEFORE_EJECTION,
  enforcingConsecutiveGatewayFailure: answers === "gateway-errors" ? 100 : 0,
  // A matched answer is counted as a 500.
  consecutive5xx: ANSWERS_BEFORE_EJECTION,
  enforcingConsecutive5xx: answers === "matched" ? 100 : 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  maxEjectionPercent: EJECTION_PERCENT_MAX,
  interval: duration(OUTLIER_INTERVAL_MS),
  baseEjectionTime: duration(BASE_EJECTION_MS),
  maxEjectionTime: duration(EJECTION_MAX_MS),
});
