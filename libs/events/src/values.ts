/** What each register may hold: one check per event type, with its limits. The shapes are in registers.ts. */
import { isLabel, parseAccountKey, parseClusterName } from "@hansa/core";
import {
  asObject,
  at,
  bad,
  type Check,
  finite,
  flag,
  integer,
  listOf,
  mapOf,
  object,
  oneOf,
  orAbsent,
  orNull,
  text,
  textLike,
} from "./check.ts";
import { exportValue } from "./export-value.ts";
import { isPortKey, isPortName, type RegisterKey } from "./keys.ts";
import { KEPT_COMMANDS_MAX, OPERATORS_MAX, SERVICE_ACCOUNTS_MAX, SERVICE_PORTS_MAX } from "./limits.ts";
import { isHash, isKeyId } from "./record.ts";
import type {
  AllowPolicy,
  BundleValue,
  Caller,
  CommandValue,
  EndpointValue,
  FailoverPolicy,
  ForeignValue,
  GatewayValue,
  Grant,
  IdentityValue,
  IpFamily,
  LinkValue,
  LoadValue,
  MembershipRequest,
  MembershipValue,
  OperatorOrder,
  OperatorPayload,
  PolicyValue,
  Quotas,
  RegisterType,
  RegisterValues,
  ServicePort,
  ServiceValue,
  SignatureOf,
  SnapshotBegin,
  SnapshotComplete,
  WantValue,
} from "./registers.ts";

const COUNT_MAX = 1_000_000;
const SEGMENT = /^[A-Za-z0-9._-]{1,253}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const label = textLike("a lower-case DNS label", 63, isLabel);
const labelOrAny = textLike("a lower-case DNS label or *", 63, (value) => value === "*" || isLabel(value));
const segment = textLike("a name of letters, digits, `.`, `_` and `-`", 253, (value) => SEGMENT.test(value));
const segmentOrAny = textLike("a name or *", 253, (value) => value === "*" || SEGMENT.test(value));
const place = text(63);
const base64Text = (lengthMax: number) => textLike("base64", lengthMax, (value) => BASE64.test(value));
const publicKey = textLike("a base64 32-byte key", 44, (value) => value.length === 44 && BASE64.test(value));
const signature = textLike(
  "a base64 64-byte signature",
  88,
  (value) => value.length === 88 && BASE64.test(value),
);
const hash = textLike("a hex SHA-256", 64, isHash);
const keyId = textLike("a key id", 16, isKeyId);
const timeMs = integer(0, Number.MAX_SAFE_INTEGER);
const count = integer(0, COUNT_MAX);
const portNumber = integer(1, 65_535);
const roots = listOf(base64Text(16_384), 16);

// === facts of a cluster ===

const servicePort = object<ServicePort>({
  name: textLike("a port name without `--`, or empty", 63, (value) => value === "" || isPortName(value)),
  port: portNumber,
  protocol: oneOf("http", "http2", "grpc", "tcp"),
  transport: orAbsent(oneOf("UDP", "SCTP")),
  appProtocol: orAbsent(text(316)),
});

const familyList = listOf(oneOf<IpFamily>("IPv4", "IPv6"), 2);
const families: Check<readonly IpFamily[]> = (value) => {
  const list = familyList(value);
  return list.length > 0 && list[0] !== list[1] ? list : bad("must name one or two different families");
};

const service = object<ServiceValue>({
  type: oneOf("ClusterSetIP", "Headless"),
  ports: listOf(servicePort, SERVICE_PORTS_MAX),
  serviceAccounts: listOf(segment, SERVICE_ACCOUNTS_MAX),
  createdMs: timeMs,
  export: orNull(exportValue),
  sessionAffinity: orAbsent(oneOf("ClientIP")),
  clientIpTimeoutSeconds: orAbsent(integer(1, 86_400)),
  internalTrafficPolicy: orAbsent(oneOf("Cluster", "Local")),
  trafficDistribution: orAbsent(text(63)),
  ipFamilies: orAbsent(families),
});

const load = object<LoadValue>({ healthy: count, total: count, desired: count, weight: finite(0, 1e12) });

const gateway = object<GatewayValue>({ address: text(64), port: portNumber, region: place, ready: flag });

const identity = object<IdentityValue>({ spiffeId: text(2048) });

const bundle = object<BundleValue>({ trustDomain: text(255), sequence: timeMs, roots });

const link = object<LinkValue>({
  lease: oneOf("ok", "lost"),
  probe: oneOf("unknown", "ok", "fail"),
  state: oneOf("normal", "unreachable", "stale", "lost"),
  stage: text(16),
  sinceMs: timeMs,
  rttMs: orNull(finite(0, 1e9)),
  selfDoubt: flag,
});

const caller = object<Caller>({ cluster: labelOrAny, namespace: labelOrAny, serviceAccount: segmentOrAny });

const allow = object<AllowPolicy>({ service: label, from: listOf(caller, 256) });

const failover = object<FailoverPolicy>({
  tiers: listOf(listOf(label, 256), 16),
  regions: mapOf(place, listOf(place, 64), 256),
  threshold: integer(1, 100),
  hysteresisPercent: finite(0, 100),
  hysteresisMs: integer(0, 86_400_000),
});

const want = object<WantValue>({ nonce: text(128) });

const portMap = mapOf(textLike("a port key", 63, isPortKey), portNumber, SERVICE_PORTS_MAX);
const onlyTrue: Check<true> = (value) => (value === true ? true : bad("must be true or absent"));

const endpoint = object<EndpointValue>({
  address: text(64),
  ports: portMap,
  appPorts: orAbsent(portMap),
  hostname: orAbsent(label),
  ready: flag,
  serving: orAbsent(flag),
  terminating: orAbsent(onlyTrue),
  region: place,
  zone: place,
  weight: integer(0, COUNT_MAX),
  serviceAccount: segment,
  workload: text(253),
});

// === signed by more than the source ===

const quotas = object<Quotas>({
  services: count,
  endpoints: count,
  identities: count,
  bytesPerSecond: integer(0, 1e9),
  recordsPerSecond: count,
});

const grant = object<Grant>({
  namespaces: listOf(labelOrAny, 1000),
  cidrs: listOf(text(64), 256),
  region: place,
  zones: listOf(place, 64),
  network: place,
  claims: listOf(text(253), 64),
  quotas,
});

const clusterName: Check<MembershipRequest["cluster"]> = (value) =>
  (typeof value === "string" ? parseClusterName(value) : undefined) ??
  bad("must be a cluster name that is not reserved");

const accountKey: Check<MembershipRequest["accountKey"]> = (value) =>
  (typeof value === "string" ? parseAccountKey(value) : undefined) ??
  bad("must be a NATS account public key");

export const membershipRequest = object<MembershipRequest>({
  fingerprint: hash,
  cluster: clusterName,
  signingKey: publicKey,
  accountKey,
  userKey: text(64),
  root: base64Text(16_384),
  wanted: grant,
  nonce: base64Text(128),
});

const membership = object<MembershipValue>({
  cluster: clusterName,
  incarnation: integer(1, COUNT_MAX),
  state: oneOf("active", "left"),
  admittedMs: timeMs,
  grant,
  request: text(49_152),
  requestSignature: signature,
  hubSignature: signature,
});

const signatures = listOf(object<SignatureOf>({ key: keyId, sig: signature }), OPERATORS_MAX);
const command = object<CommandValue>({ payload: text(49_152), signatures });

const foreign = object<ForeignValue>({ trustDomain: text(255), roots, signatures });

const onCluster = { cluster: clusterName, incarnation: integer(1, COUNT_MAX) };

const ORDERS: { readonly [Do in OperatorOrder["do"]]: Check<OperatorOrder> } = {
  drain: object({ do: oneOf("drain"), ...onCluster }),
  undrain: object({ do: oneOf("undrain"), ...onCluster }),
  evict: object({ do: oneOf("evict"), ...onCluster }),
  admit: object({ do: oneOf("admit"), ...onCluster }),
  rekey: object({ do: oneOf("rekey"), ...onCluster, signingKey: publicKey }),
  hubkey: object({ do: oneOf("hubkey"), key: publicKey }),
  operators: object({
    do: oneOf("operators"),
    keys: listOf(publicKey, OPERATORS_MAX),
    threshold: integer(1, OPERATORS_MAX),
    keeps: listOf(hash, KEPT_COMMANDS_MAX),
  }),
};

const order: Check<OperatorOrder> = (value) => {
  const kind = asObject(value).do;
  if (typeof kind !== "string" || !Object.hasOwn(ORDERS, kind)) return bad("`do` names no known order");
  const built = ORDERS[kind as OperatorOrder["do"]](value);
  if (
    built.do === "operators" &&
    (built.threshold > built.keys.length || new Set(built.keys).size < built.keys.length)
  )
    return bad("keys must be distinct and at least as many as the threshold");
  return built;
};

export const operatorPayload = object<OperatorPayload>({
  fingerprint: hash,
  id: textLike("a name of letters, digits, `.`, `_` and `-`", 128, (value) => SEGMENT.test(value)),
  atMs: timeMs,
  order,
});

// === markers ===

export const snapshotBegin = object<SnapshotBegin>({ id: text(128) });
export const snapshotComplete = object<SnapshotComplete>({
  id: text(128),
  digest: hash,
  count: integer(0, 10 * COUNT_MAX),
});

const CHECKS: { readonly [Type in Exclude<RegisterType, "PolicySet">]: Check<RegisterValues[Type]> } = {
  ServiceSet: service,
  LoadSet: load,
  GatewaySet: gateway,
  IdentitySet: identity,
  BundleSet: bundle,
  LinkSet: link,
  CommandSet: command,
  WantSet: want,
  EndpointSet: endpoint,
  MembershipSet: membership,
  HubkeySet: command,
  OperatorsSet: command,
  ForeignSet: foreign,
};

/** Checks and rebuilds the value of the register that `key` names. Throws BadValue. */
export function checkValue(key: RegisterKey, data: unknown): RegisterValues[RegisterType] {
  if (key.type === "PolicySet") return at<PolicyValue>("data", key.kind === "allow" ? allow : failover, data);
  return at<RegisterValues[RegisterType]>("data", CHECKS[key.type], data);
}

export const REGISTER_TYPES = [...Object.keys(CHECKS), "PolicySet"] as readonly RegisterType[];

export const isRegisterType = (type: string): type is RegisterType =>
  type === "PolicySet" || Object.hasOwn(CHECKS, type);
