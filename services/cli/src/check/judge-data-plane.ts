/** Categories gateways, proxies and services: does the data plane carry what the log says? Pure. */
import { silentImporters } from "../mesh/cluster-state.ts";
import { answering, type ExportFacts, type Facts, type Link, present } from "./facts.ts";
import { unknown, untold } from "./judge-reach.ts";
import { type Check, fail, none, ok, warn } from "./report.ts";

export function judgeGateways({ links, members }: Facts): Check[] {
  if (links === null || members === null) return [unknown("links between clusters are known")];
  const names = present(members).map(({ cluster }) => cluster);
  if (names.length < 2) return [ok("there is only one cluster: no links")];
  const checks: Check[] = [];
  const between = links.filter(({ from, to }) => names.includes(from) && names.includes(to));
  const silent = silentImporters(between);
  for (const to of names) {
    const incoming = between.filter(({ from, to: of }) => of === to && from !== to && !silent.has(from));
    checks.push(
      ...linksTo(
        to,
        incoming,
        names.filter((name) => name !== to && !silent.has(name)),
      ),
    );
  }
  checks.push(
    none(
      "no importer doubts itself",
      [...new Set(between.filter(({ selfDoubt }) => selfDoubt).map(({ from }) => from))].map(
        (from) => `${from} distrusts its own evidence and withdraws nothing`,
      ),
      "HSA4003",
      "hansa get links",
      "warn",
    ),
  );
  return checks;
}

function linksTo(to: string, incoming: readonly Link[], importers: readonly string[]): Check[] {
  const description = `${to}'s gateway answers every importer's own probe`;
  const next = "hansa get links";
  const say = ({ from, stage }: Link) =>
    `${from} cannot reach ${to}${stage === "" ? "" : ` (fails at ${stage.toUpperCase()})`}`;
  const lost = incoming
    .filter(({ state }) => state === "lost")
    .map(({ from }) => `${from} lost ${to}: no lease and no probe`);
  const unreachable = incoming.filter(({ state }) => state === "unreachable").map(say);
  const stale = incoming
    .filter(({ state }) => state === "stale")
    .map(({ from }) => `${from} hears nothing of ${to}'s agent; its gateway answers`);
  const unmeasured = importers
    .filter((from) => !incoming.some((link) => link.from === from && link.probe !== "unknown"))
    .map((from) => `${from} has not measured ${to} yet`);
  if (lost.length > 0) return [none(description, [...lost, ...unreachable], "HSA4008", next)];
  if (unreachable.length > 0) return [none(description, unreachable, "HSA4001", next)];
  if (importers.length === 0) unmeasured.push("no importer is left to measure it");
  const checks = [
    unmeasured.length > 0 ? warn(description, "HSA4001", unmeasured.join("; "), next) : ok(description),
  ];
  if (stale.length > 0)
    checks.push(fail(`${to}'s control lease is alive`, "HSA4002", stale.join("; "), next));
  return checks;
}

export function judgeProxies({ agents }: Facts): Check[] {
  const told = answering(agents).filter(({ proxies }) => proxies !== null);
  if (told.length === 0) return [untold("agents tell of their proxies", agents)];
  return told.flatMap(({ cluster, proxies }) => {
    const all = proxies ?? [];
    const next = `hansa proxy status ${cluster}`;
    const nacks = all.flatMap(({ id, types }) =>
      types.flatMap(({ type, nack }) => (nack === null ? [] : [`${id} refused ${type}: ${nack}`])),
    );
    const away = all.filter(({ connected }) => !connected).map(({ id }) => `${id} is not connected`);
    const behind = all
      .filter(({ connected }) => connected)
      .flatMap(({ id, types }) =>
        types
          .filter(({ synced, nack }) => !synced && nack === null)
          .map(({ type }) => `${id} has not acknowledged ${type}`),
      );
    return [
      none(`${cluster}: no proxy refuses its configuration`, nacks, "HSA5001", next),
      none(`${cluster}: all ${all.length} proxies are connected`, away, "HSA1012", next, "warn"),
      none(
        `${cluster}: all proxies have acknowledged the latest configuration`,
        behind,
        "HSA1009",
        next,
        "warn",
      ),
    ];
  });
}

export function judgeServices({ exports, conflicts, agents, hub }: Facts): Check[] {
  if (exports === null) return [unknown("exports are known")];
  const byService = new Map<string, ExportFacts[]>();
  for (const one of exports) byService.set(one.service, [...(byService.get(one.service) ?? []), one]);
  const dead: string[] = [];
  const partly: string[] = [];
  for (const [service, list] of byService) {
    const told = list.filter(({ healthy }) => healthy !== null);
    const empty = told.filter(({ healthy }) => healthy === 0);
    if (told.length > 0 && empty.length === told.length)
      dead.push(`${service}: no healthy endpoint in ${list.map(({ cluster }) => cluster).join(", ")}`);
    else
      partly.push(...empty.map(({ cluster }) => `${service}: none healthy in ${cluster}, others serve it`));
  }
  const sick = exports.find(({ healthy }) => healthy === 0)?.service ?? conflicts[0]?.service;
  const next = sick === undefined ? "hansa get services" : `hansa describe service ${sick}`;
  const findings = new Map<string, string>();
  const folds = [hub.fold, ...answering(agents).map(({ fold }) => fold)];
  for (const fold of folds)
    for (const { code, cluster, key, message } of fold?.findings ?? [])
      findings.set(`${code} ${cluster} ${key}`, `${code} ${cluster}: ${message}`);
  const grants = [...findings.values()].filter((text) => text.startsWith("HSA3006"));
  // Grants and histories have checks of their own.
  const rest = [...findings.values()].filter((text) => !/^HSA(3006|2008|2014)/.test(text));
  return [
    none("every exported service has a healthy endpoint somewhere", dead, "HSA4006", next),
    none("every export has a healthy endpoint of its own", partly, "HSA4006", next, "warn"),
    none(
      "exporters of one service agree",
      conflicts.map(({ service, message }) => `${service}: ${message}`),
      "HSA4005",
      next,
      "warn",
    ),
    none("nothing lies outside its cluster's grant", grants, "HSA3006", "hansa get clusters", "warn"),
    none("the fold has no other findings", rest, "HSA1010", "hansa events"),
  ];
}
