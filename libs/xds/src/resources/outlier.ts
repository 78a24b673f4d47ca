/**
 * Passive health: the measured recipe (envoy-dataplane §1.1, §4). `gatewayErrors` says what 502/503/504 may do:
 * a gateway is never ejected for what a pod behind it answers (federation §1.5 rule 4), so a cluster with gateway
 * addresses in it counts failures of local origin only; retries carry the rest until the exporter says so.
 */
import type { OutlierDetectionSchema } from "../../gen/index.ts";
import { BASE_EJECTION_MS, EJECTION_MAX_MS, OUTLIER_INTERVAL_MS } from "./limits.ts";
import { duration, type Init } from "./message.ts";

export const outlierDetection = (gatewayErrors: "eject" | "ignore"): Init<typeof OutlierDetectionSchema> => ({
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 1,
  enforcingConsecutiveLocalOriginFailure: 100,
  consecutiveGatewayFailure: 3,
  enforcingConsecutiveGatewayFailure: gatewayErrors === "eject" ? 100 : 0,
  enforcingConsecutive5xx: 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  maxEjectionPercent: 100,
  interval: duration(OUTLIER_INTERVAL_MS),
  baseEjectionTime: duration(BASE_EJECTION_MS),
  maxEjectionTime: duration(EJECTION_MAX_MS),
});
