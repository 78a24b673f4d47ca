/**
 * Candidates of exporters whose endpoints have not changed: a change of one cluster then costs that cluster's endpoints,
 * not all clusters'. Whoever owns it must tell it of every change that the fold reports, before the next view.
 */
import type { Candidate, Reach } from "./candidate.ts";

interface Entry {
  readonly reach: Reach;
  readonly via: string;
  readonly scale: number;
  readonly candidates: readonly Candidate[];
}

export class CandidateCache {
  /** `<cluster> <ns>/<name>` → port key → candidates. Bounded by the services that are viewed. */
  readonly #entries = new Map<string, Map<string, Entry>>();

  /** A register changed, or its effect. */
  changed({ cluster, key }: { readonly cluster: string; readonly key: string }): void {
    if (this.#entries.size === 0) return;
    const [kind = "", namespace = "", name = ""] = key.split("/", 3);
    if (kind === "service" || kind === "load" || kind === "endpoint")
      this.#entries.delete(`${cluster} ${namespace}/${name}`);
    else if (!INERT.has(kind)) this.#entries.clear();
  }

  of(reach: Reach, via: string, scale: number, make: () => readonly Candidate[]): readonly Candidate[] {
    const { exporter, portKey } = reach;
    const name = `${exporter.cluster} ${exporter.namespace}/${exporter.name}`;
    const ports = this.#entries.get(name) ?? new Map<string, Entry>();
    const known = ports.get(portKey);
    if (known !== undefined && known.via === via && known.scale === scale && sameReach(known.reach, reach))
      return known.candidates;
    const candidates = make();
    ports.set(portKey, { reach, via, scale, candidates });
    this.#entries.set(name, ports);
    return candidates;
  }
}

/** No candidate is made of these, or they are part of what it is asked with. Memberships hold grants. */
const INERT: ReadonlySet<string> = new Set([
  "bundle",
  "foreign",
  "gateway",
  "identity",
  "link",
  "policy",
  "want",
]);

const sameReach = (a: Reach, b: Reach): boolean =>
  a.link === b.link &&
  a.exporter.member.state === b.exporter.member.state &&
  a.exporter.because === b.exporter.because &&
  a.because.join(" ") === b.because.join(" ");
