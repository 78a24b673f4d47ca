/** A fold as hub and agents tell of it. Pure. */
import { type Code, isCode } from "@hansa/core";
import { readPlaces } from "../mesh/positions.ts";
import { list, text } from "../shell/api.ts";
import type { FoldFacts, LanePlace } from "./facts.ts";

type Raw = Readonly<Record<string, unknown>>;

export function readFindings(value: unknown): FoldFacts["findings"] {
  return list(value)
    .filter(({ code }) => code !== "HSA3010") // What a cluster that is gone has written is inert, as it should be.
    .map(({ code, cluster, key, message }) => {
      const known = text(code);
      return {
        code: isCode(known) ? known : ("HSA1010" satisfies Code),
        cluster: text(cluster),
        key: text(key),
        message: text(message),
      };
    });
}

/** `digest`, `heads` (by account key), `findings`; degraded and frozen members come with the list of clusters. */
export function readFold(data: Raw, members: readonly Raw[], names: ReadonlyMap<string, string>): FoldFacts {
  const heads: LanePlace[] = readPlaces(data.heads, names);
  const marked = (flag: string) =>
    members.filter((member) => member[flag] === true).map(({ name }) => text(name));
  return {
    digest: text(data.digest) || null,
    heads,
    laneDigests: {},
    findings: readFindings(data.findings),
    degraded: marked("degraded"),
    frozen: marked("frozen"),
  };
}
