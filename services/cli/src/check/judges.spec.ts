/** One sound federation, and for every category what makes it fail: the code, and that nothing else turns red. */
import type { Code } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { CATEGORY_NAMES, type CategoryName } from "./categories.ts";
import { JUDGES } from "./check.ts";
import type { AgentFacts, Facts, FoldFacts, Link } from "./facts.ts";

const NOW_MS = Date.parse("2026-11-23T06:00:00Z");
const NAMES = ["ap", "eu", "us"];

const fold = (): FoldFacts => ({
  digest: "d1",
  heads: ["hub", ...NAMES].map((cluster) => ({ cluster, lane: "sum", epoch: 1, seq: 5 })),
  laneDigests: {},
  findings: [],
  degraded: [],
  frozen: [],
});

const agent = (cluster: string): AgentFacts => ({
  cluster,
  reach: { kind: "answers" },
  ready: { ok: true, problems: [] },
  clockOffsetMs: 100,
  fingerprint: "f1",
  busUp: true,
  busRefusal: "",
  writer: "writing",
  outbox: { depth: 0, max: 100 },
  selfDoubt: false,
  source: { problems: [], staleSinceMs: null },
  svids: [
    { name: "root", notAfterMs: NOW_MS + 3650 * 86_400_000, notBeforeMs: null },
    {
      name: `spiffe://${cluster}.lab.hansa/ns/shop/sa/pay`,
      notAfterMs: NOW_MS + 3_000_000,
      notBeforeMs: null,
    },
  ],
  fold: fold(),
  paths: [{ to: "hub", address: "hub.example.com port 8443", isNarrow: false }],
  proxies: [
    {
      id: "gateway/gw",
      connected: true,
      types: [{ type: "Cluster", sent: "3", acked: "3", synced: true, nack: null }],
    },
  ],
});

const link = (from: string, to: string): Link => ({
  from,
  to,
  state: "normal",
  lease: "ok",
  probe: "ok",
  stage: "",
  selfDoubt: false,
});

const sound = (): Facts => ({
  contextFile: "context.json",
  isLab: true,
  nowMs: NOW_MS,
  hub: {
    reach: { kind: "answers" },
    live: true,
    ready: { ok: true, problems: [] },
    clockOffsetMs: 0,
    fingerprint: "f1",
    operators: { count: 3, threshold: 2 },
    isLab: false,
    busUp: true,
    gaps: [],
    lost: [],
    quarantined: [],
    bundles: NAMES.map((name) => `${name}.lab.hansa`),
    fold: fold(),
  },
  agents: NAMES.map(agent),
  members: NAMES.map((cluster) => ({ cluster, state: "active", trustDomain: `${cluster}.lab.hansa` })),
  links: NAMES.flatMap((from) => NAMES.filter((to) => to !== from).map((to) => link(from, to))),
  exports: NAMES.map((cluster) => ({ service: "shop/pay", cluster, healthy: 2, total: 2 })),
  conflicts: [],
});

type Change = (facts: Facts) => Partial<Facts>;
const hub =
  (change: (hub: Facts["hub"]) => Partial<Facts["hub"]>): Change =>
  (facts) => ({ hub: { ...facts.hub, ...change(facts.hub) } });
const us =
  (change: (agent: AgentFacts) => Partial<AgentFacts>): Change =>
  (facts) => ({
    agents: facts.agents.map((one) => (one.cluster === "us" ? { ...one, ...change(one) } : one)),
  });
const usFold = (change: Partial<FoldFacts>): Change =>
  us((one) => ({ fold: { ...(one.fold ?? fold()), ...change } }));
const links =
  (change: (one: Link) => Partial<Link>): Change =>
  (facts) => ({ links: (facts.links ?? []).map((one) => ({ ...one, ...change(one) })) });
const toUs = (change: Partial<Link>): Change => links((one) => (one.to === "us" ? change : {}));

const SILENT = { kind: "silent", message: "connection refused" } as const;

/** [what breaks, how, its category, code, grade]. */
const BREAKS: readonly (readonly [string, Change, CategoryName, Code, "fail" | "warn"])[] = [
  ["the hub is silent", hub(() => ({ reach: SILENT })), "context", "HSA1012", "fail"],
  [
    "the credentials are wrong",
    us(() => ({ reach: { kind: "refuses", code: "HSA3001", message: "no" } })),
    "context",
    "HSA3001",
    "fail",
  ],
  [
    "the context lacks an agent",
    (facts) => ({ agents: facts.agents.slice(1) }),
    "context",
    "HSA1005",
    "warn",
  ],
  ["the hub's process is dead", hub(() => ({ live: false })), "hub", "HSA1012", "fail"],
  [
    "Postgres is down",
    hub(() => ({ ready: { ok: false, problems: ["HSA2011: no archive"] } })),
    "hub",
    "HSA2011",
    "fail",
  ],
  [
    "the archive is behind",
    hub(() => ({ ready: { ok: false, problems: ["HSA2012: older"] } })),
    "hub",
    "HSA2012",
    "fail",
  ],
  [
    "the projector lags",
    usFold({ heads: [{ cluster: "us", lane: "sum", epoch: 1, seq: 10_000 }] }),
    "hub",
    "HSA2012",
    "warn",
  ],
  [
    "the archive lost records",
    hub(() => ({ lost: ["us/sum: nothing between 1/3 and 1/5"] })),
    "log",
    "HSA2005",
    "warn",
  ],
  ["the hub lost NATS", hub(() => ({ busUp: false })), "bus", "HSA2010", "fail"],
  ["an agent lost NATS", us(() => ({ busUp: false })), "bus", "HSA2010", "fail"],
  ["an agent has another fingerprint", us(() => ({ fingerprint: "f2" })), "trust", "HSA3005", "fail"],
  [
    "one operator is enough",
    hub(() => ({ operators: { count: 1, threshold: 1 } })),
    "trust",
    "HSA3007",
    "warn",
  ],
  [
    "a bundle is missing",
    hub((one) => ({ bundles: (one.bundles ?? []).slice(1) })),
    "trust",
    "HSA4006",
    "fail",
  ],
  ["an agent has not heard of a member", usFold({ heads: [] }), "trust", "HSA2006", "fail"],
  ["two histories", usFold({ frozen: ["ap"] }), "trust", "HSA2008", "fail"],
  [
    "two histories of the hub, which is no member",
    usFold({ findings: [{ code: "HSA2008", cluster: "hub", key: "", message: "two records" }] }),
    "trust",
    "HSA2008",
    "fail",
  ],
  [
    "a member that claims another record",
    usFold({ findings: [{ code: "HSA2014", cluster: "hub", key: "sum@1.1", message: "ap claims another" }] }),
    "trust",
    "HSA2014",
    "warn",
  ],
  [
    "an SVID expired",
    us(() => ({ svids: [{ name: "x", notAfterMs: NOW_MS - 1, notBeforeMs: null }] })),
    "trust",
    "HSA3008",
    "fail",
  ],
  [
    "an SVID is not renewed",
    us(() => ({ svids: [{ name: "x", notAfterMs: NOW_MS + 600_000, notBeforeMs: null }] })),
    "trust",
    "HSA3008",
    "warn",
  ],
  [
    "a root ends soon",
    us(() => ({ svids: [{ name: "root", notAfterMs: NOW_MS + 86_400_000, notBeforeMs: null }] })),
    "trust",
    "HSA3008",
    "warn",
  ],
  ["the same heads give another digest", usFold({ digest: "d2" }), "log", "HSA2007", "fail"],
  [
    "a fold is behind",
    usFold({ digest: "d2", heads: [{ cluster: "eu", lane: "sum", epoch: 1, seq: 4 }] }),
    "log",
    "HSA2007",
    "warn",
  ],
  ["a gap", hub(() => ({ gaps: ["us/sum: nothing between 1/3 and 1/5"] })), "log", "HSA2005", "fail"],
  ["a source is degraded", usFold({ degraded: ["eu"] }), "log", "HSA2005", "fail"],
  [
    "a quarantined record",
    hub(() => ({ quarantined: ["HSA2001 us: sum@1.4: garbage"] })),
    "log",
    "HSA2001",
    "warn",
  ],
  ["a fenced writer", us(() => ({ writer: "fenced" })), "log", "HSA2003", "warn"],
  ["a full outbox", us(() => ({ outbox: { depth: 100, max: 100 } })), "log", "HSA2009", "fail"],
  ["an outbox that fills", us(() => ({ outbox: { depth: 60, max: 100 } })), "log", "HSA2009", "warn"],
  [
    "a bad source file",
    us(() => ({ source: { problems: ["services[0].name: missing"], staleSinceMs: null } })),
    "log",
    "HSA1003",
    "fail",
  ],
  [
    "an API server that is away",
    us(() => ({ source: { problems: ["HSA7001 refused (pods)"], staleSinceMs: 0 } })),
    "log",
    "HSA7001",
    "fail",
  ],
  [
    "nobody reaches a gateway",
    toUs({ state: "unreachable", probe: "fail", stage: "tls" }),
    "gateways",
    "HSA4001",
    "fail",
  ],
  ["a cluster is lost", toUs({ state: "lost", lease: "lost", probe: "fail" }), "gateways", "HSA4008", "fail"],
  [
    "a lease is lost, its gateway answers",
    toUs({ state: "stale", lease: "lost" }),
    "gateways",
    "HSA4002",
    "fail",
  ],
  ["nobody has probed yet", links(() => ({ probe: "unknown" })), "gateways", "HSA4001", "warn"],
  [
    "an importer doubts itself",
    links(({ from }) => (from === "us" ? { selfDoubt: true } : {})),
    "gateways",
    "HSA4003",
    "warn",
  ],
  [
    "a path loses packets of full size",
    us((one) => ({ paths: (one.paths ?? []).map((path) => ({ ...path, isNarrow: true })) })),
    "paths",
    "HSA1013",
    "fail",
  ],
  [
    "no agent has looked at paths",
    (facts) => ({ agents: facts.agents.map((one) => ({ ...one, paths: null })) }),
    "paths",
    "HSA1012",
    "warn",
  ],
  ["the context names no agent", (facts) => ({ ...facts, agents: [] }), "proxies", "HSA1012", "warn"],
  [
    "a NACK",
    us((one) => ({
      proxies: (one.proxies ?? []).map((proxy) => ({
        ...proxy,
        types: proxy.types.map((type) => ({ ...type, synced: false, nack: "unknown field" })),
      })),
    })),
    "proxies",
    "HSA5001",
    "fail",
  ],
  [
    "a proxy is away",
    us((one) => ({ proxies: (one.proxies ?? []).map((proxy) => ({ ...proxy, connected: false })) })),
    "proxies",
    "HSA1012",
    "warn",
  ],
  [
    "a proxy is behind",
    us((one) => ({
      proxies: (one.proxies ?? []).map((proxy) => ({
        ...proxy,
        types: proxy.types.map((type) => ({ ...type, synced: false })),
      })),
    })),
    "proxies",
    "HSA1009",
    "warn",
  ],
  [
    "no healthy endpoint anywhere",
    ({ exports }) => ({ exports: (exports ?? []).map((one) => ({ ...one, healthy: 0 })) }),
    "services",
    "HSA4006",
    "fail",
  ],
  [
    "one exporter has none healthy",
    ({ exports }) => ({
      exports: (exports ?? []).map((one) => (one.cluster === "us" ? { ...one, healthy: 0 } : one)),
    }),
    "services",
    "HSA4006",
    "warn",
  ],
  [
    "exporters disagree",
    () => ({ conflicts: [{ service: "shop/pay", message: "Conflicting ports." }] }),
    "services",
    "HSA4005",
    "warn",
  ],
  [
    "a fact outside a grant",
    usFold({ findings: [{ code: "HSA3006", cluster: "ap", key: "service/bank/x", message: "not granted" }] }),
    "services",
    "HSA3006",
    "warn",
  ],
  [
    "a register by the wrong writer",
    usFold({ findings: [{ code: "HSA2013", cluster: "ap", key: "membership/x", message: "not the hub" }] }),
    "services",
    "HSA1010",
    "fail",
  ],
  ["a clock is ten minutes off", us(() => ({ clockOffsetMs: 600_000 })), "clock", "HSA3008", "fail"],
  ["a clock is ten seconds off", us(() => ({ clockOffsetMs: 10_000 })), "clock", "HSA1008", "warn"],
  [
    "this machine's clock is off",
    (facts) => ({
      hub: { ...facts.hub, clockOffsetMs: 9000 },
      agents: facts.agents.map((one) => ({ ...one, clockOffsetMs: 9000 })),
    }),
    "clock",
    "HSA1008",
    "warn",
  ],
];

const gradesOf = (facts: Facts, name: CategoryName) =>
  JUDGES[name](facts).filter(({ grade }) => grade !== "ok");

describe("check", () => {
  it.each(CATEGORY_NAMES)("%s: a sound federation has no finding", (name) => {
    expect(gradesOf(sound(), name)).toEqual([]);
    expect(JUDGES[name](sound()).length).toBeGreaterThan(0);
  });

  it.each(BREAKS)("%s", (_what, change, category, code, grade) => {
    const facts = { ...sound(), ...change(sound()) };
    const findings = gradesOf(facts, category);
    expect(findings).toContainEqual(expect.objectContaining({ code, grade }));
    for (const finding of findings) {
      expect(finding.cause).toBeTruthy();
      expect(finding.next).toMatch(/^(hansa|chronyc) /);
    }
  });

  it("has a break for every category", () => {
    expect(new Set(BREAKS.map(([, , category]) => category))).toEqual(new Set(CATEGORY_NAMES));
  });

  it("does not count what a lost importer last said of others", () => {
    // us is dead; its last link about eu was a failure.
    const change = links(({ from, to }) =>
      to === "us"
        ? { state: "lost", lease: "lost", probe: "fail" }
        : from === "us"
          ? { state: "unreachable", probe: "fail" }
          : {},
    );
    const failing = gradesOf({ ...sound(), ...change(sound()) }, "gateways");
    expect(failing.map(({ description }) => description)).toEqual([
      "us's gateway answers every importer's own probe",
    ]);
  });

  it("says that it does not know where nobody answers", () => {
    const base = sound();
    const dark: Facts = {
      ...base,
      hub: {
        ...base.hub,
        reach: SILENT,
        live: false,
        fold: null,
        bundles: null,
        fingerprint: null,
        operators: null,
        busUp: null,
        clockOffsetMs: null,
      },
      agents: base.agents.map((one) => ({
        ...one,
        reach: SILENT,
        fold: null,
        proxies: null,
        svids: null,
        busUp: null,
        clockOffsetMs: null,
        fingerprint: null,
      })),
      members: null,
      links: null,
      exports: null,
    };
    for (const name of ["bus", "trust", "log", "gateways", "proxies", "services", "clock"] as const)
      expect(gradesOf(dark, name).length, name).toBeGreaterThan(0);
  });
});
