/** The one place that builds and reads subjects (design §3 "Bus"). */
import { type AccountKey, parseAccountKey } from "@hansa/core";
import { LANES, type Lane } from "@hansa/events";

export const FED_STREAM = "FED";
export const BEAT_STREAM = "BEAT";

/** As seen inside the hub's account. */
export const fedSubject = (account: AccountKey, lane: Lane): string => `fed.${account}.${lane}`;
export const beatSubject = (account: AccountKey): string => `beat.${account}`;
export const FED_SUBJECTS = "fed.*.*";
export const BEAT_SUBJECTS = "beat.*";
/**
 * Marker of the stream's incarnation, kept as the only message of its subject. `-` is no account key, so that no
 * cluster's import reaches it (account_token_position); only the hub writes it.
 */
export const INCARNATION_SUBJECT = "fed.-.incarnation";

/** The same as it is republished: the stream was made just now. */
export const TAIL_INCARNATION = "tail.-.incarnation";

export const TAIL_FED = "tail.{{wildcard(1)}}.{{wildcard(2)}}";
export const TAIL_BEAT = "tail.{{wildcard(1)}}.beat";
export const TAIL_SUBJECTS = "tail.*.*";
/** Beats alone: who asks for them must not be sent every record as well. */
export const TAIL_BEATS = "tail.*.beat";
export const directGetSubject = (stream: string): string => `$JS.API.DIRECT.GET.${stream}`;

/** Local names of a cluster's imports. */
export const LOCAL_GET_FED = "get.fed";
export const LOCAL_GET_BEAT = "get.beat";
export const LOCAL_BEAT = "log.beat";
export const localLogSubject = (lane: Lane): string => `log.${lane}`;

/** Where one side of the bus publishes and asks; the hub uses the subjects themselves, clusters their imports. */
export interface SubjectMap {
  log(lane: Lane): string;
  readonly beat: string;
  readonly getFed: string;
  readonly getBeat: string;
}

export const CLUSTER_SUBJECTS: SubjectMap = {
  log: localLogSubject,
  beat: LOCAL_BEAT,
  getFed: LOCAL_GET_FED,
  getBeat: LOCAL_GET_BEAT,
};

export const hubSubjects = (hub: AccountKey): SubjectMap => ({
  log: (lane) => fedSubject(hub, lane),
  beat: beatSubject(hub),
  getFed: directGetSubject(FED_STREAM),
  getBeat: directGetSubject(BEAT_STREAM),
});

export type ParsedSubject =
  | { readonly kind: "log"; readonly account: AccountKey; readonly lane: Lane }
  | { readonly kind: "beat"; readonly account: AccountKey };

/** Reads `fed.<account>.<lane>`, `beat.<account>` and their copies under `tail.`; anything else is undefined. */
export function parseSubject(subject: string): ParsedSubject | undefined {
  const [root, token = "", last = "", ...rest] = subject.split(".");
  const account = parseAccountKey(token);
  if (account === undefined || rest.length > 0) return undefined;
  if ((root === "beat" && last === "") || (root === "tail" && last === "beat"))
    return { kind: "beat", account };
  const lane = LANES.find((candidate) => candidate === last);
  if ((root !== "fed" && root !== "tail") || lane === undefined) return undefined;
  return { kind: "log", account, lane };
}
