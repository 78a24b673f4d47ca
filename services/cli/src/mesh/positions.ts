/** Places in logs: `cluster/lane/epoch/seq`, who has committed and who has acknowledged what. */
import { HansaError, isLabel } from "@hansa/core";
import { ask, askList, isSilent, list, number, object, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import { askAgents } from "./agents.ts";

export interface Place {
  readonly cluster: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
}

export interface Positions {
  /** What the hub has committed. */
  readonly committed: readonly Place[];
  /** Importer → what all its Envoys have acknowledged. */
  readonly acked: ReadonlyMap<string, readonly Place[]>;
  readonly by: string;
}

/** `us/sum/3/120` as every write prints it. Throws HSA1001. */
export function parsePlace(given: string): Place {
  const [cluster = "", lane = "", epoch = "", seq = "", ...rest] = given.split("/");
  const isNumber = (word: string) => /^\d{1,15}$/.test(word);
  if (
    !isLabel(cluster) ||
    (lane !== "sum" && lane !== "ep") ||
    !isNumber(epoch) ||
    !isNumber(seq) ||
    rest.length > 0
  )
    throw new HansaError("HSA1001", `--position ${given}: must be CLUSTER/LANE/EPOCH/SEQ, e.g. us/sum/3/120`);
  return { cluster, lane, epoch: Number(epoch), seq: Number(seq) };
}

export const placeText = ({ cluster, lane, epoch, seq }: Place): string =>
  `${cluster}/${lane}/${epoch}/${seq}`;

export const isAtLeast = (
  place: Pick<Place, "epoch" | "seq">,
  wanted: Pick<Place, "epoch" | "seq">,
): boolean => place.epoch > wanted.epoch || (place.epoch === wanted.epoch && place.seq >= wanted.seq);

/** `names`: account key → cluster, where the answer names sources by their key alone. */
export function readPlaces(value: unknown, names?: ReadonlyMap<string, string>): Place[] {
  return list(value).flatMap((raw) => {
    const [epoch, seq] = [number(raw.epoch), number(raw.seq)];
    const cluster = names === undefined ? text(raw.cluster) : (names.get(text(raw.source)) ?? "hub");
    return epoch === null || seq === null || cluster === ""
      ? []
      : [{ cluster, lane: text(raw.lane), epoch, seq }];
  });
}

/** From the hub, which hears everybody's heartbeats; where it is silent from each agent of the context. */
export async function positionsNow(context: Context): Promise<Positions> {
  try {
    const { data, by } = await ask(context, { path: "/v1/positions", agents: false });
    return readPositions(data, by);
  } catch (error) {
    if (!isSilent(error)) throw error;
  }
  const [answers, names] = await Promise.all([
    askAgents(context, "/v1/federation-state"),
    accountNames(context),
  ]);
  const acked = [...answers].flatMap(([cluster, answer]) =>
    answer.kind === "answers" ? [[cluster, readPlaces(answer.data.acked, names)] as const] : [],
  );
  return { committed: [], acked: new Map(acked), by: "agents" };
}

/** Account key → cluster, for answers that name sources by their key alone. The one that is no member's is the hub's. */
export async function accountNames(context: Context): Promise<ReadonlyMap<string, string>> {
  const { items } = await askList(context, { path: "/v1/clusters" });
  return new Map(items.map((item) => [text(item.account), text(item.name)]));
}

export function readPositions(data: Readonly<Record<string, unknown>>, by: string): Positions {
  const acked = Object.entries(object(data.acked)).map(
    ([importer, raw]) => [importer, readPlaces(object(raw).heads)] as const,
  );
  return { committed: readPlaces(data.committed), acked: new Map(acked), by };
}

/** Where a write put its event: the hub answers with a head of its own log, an agent with a position as text. */
export function placeOfWrite(data: Readonly<Record<string, unknown>>): Place | null {
  if (typeof data.position === "string") return parsePlace(data.position);
  const at = object(data.at);
  return readPlaces([{ ...at, cluster: "hub" }])[0] ?? null;
}

/** What this importer has acknowledged of that log; null where it does not tell. */
export function ackedBy(
  positions: Positions,
  importer: string,
  of: Pick<Place, "cluster" | "lane">,
): Place | null {
  const heads = positions.acked.get(importer) ?? [];
  return heads.find((head) => head.cluster === of.cluster && head.lane === of.lane) ?? null;
}
