/** `hansa events`: the archive's events in order, or with --follow as they are committed. */
import { ask, list, number, object, text } from "../shell/api.ts";
import { momentOption } from "../shell/moment.ts";
import { clusterName } from "../shell/names.ts";
import { type Format, isoTime, printable, say, table } from "../shell/output.ts";
import { type Action, wholeNumber, write } from "../shell/program.ts";
import { followEvents } from "./event-stream.ts";
import { stampOf } from "./stamp.ts";

export interface EventItem {
  readonly position: number;
  readonly committedAt: string;
  readonly cluster: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
  readonly type: string;
  readonly key: string;
  /** The source's clock. */
  readonly at: string;
  readonly data: unknown;
}

const LIMIT_MAX = 999;
const LIMIT_DEFAULT = 100;

export const action: Action = async (shell, _args, options) => {
  const source = options.source === undefined ? undefined : sourceName(String(options.source));
  const since = momentOption("--since", options.since);
  const limit = options.limit === undefined ? undefined : wholeNumber("--limit", options.limit, 1, LIMIT_MAX);
  const context = shell.context();
  if (options.follow === true) {
    let shown = 0;
    const stop = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
    for await (const raw of followEvents(context.hub, { source, since }, stop.signal)) {
      await write(printable(eventLine(eventItem(raw), shell.format)));
      shown += 1;
      // A script can wait for the next n events.
      if (shown === limit) return undefined;
    }
    return undefined;
  }
  const answer = await ask(context, {
    path: "/v1/events",
    query: { source, since, limit: limit ?? LIMIT_DEFAULT },
    agents: false,
  });
  const items = list(answer.data.items).map(eventItem);
  return {
    kind: "EventList",
    data: { ...stampOf(answer), items },
    text: () => {
      if (items.length === 0) say("no events");
      return table(["POSITION", "COMMITTED", "EVENT", "TYPE", "KEY", "VALUE"], items.map(eventCells));
    },
  };
};

const sourceName = (name: string): string => (name === "hub" ? name : clusterName(name));

export function eventItem(raw: Readonly<Record<string, unknown>>): EventItem {
  const time = (value: unknown): string => (number(value) === null ? text(value) : isoTime(number(value)!));
  return {
    position: number(raw.position) ?? 0,
    committedAt: time(raw.committedAt ?? raw.committedMs),
    cluster: text(raw.cluster ?? raw.source),
    lane: text(raw.lane),
    epoch: number(raw.epoch) ?? 0,
    seq: number(raw.seq) ?? 0,
    type: text(raw.type),
    key: text(raw.key),
    at: time(raw.at ?? raw.atMs),
    data: raw.data ?? null,
  };
}

const VALUE_SHOWN_MAX = 100;

function eventCells({ position, committedAt, cluster, lane, epoch, seq, type, key, data }: EventItem) {
  const value = data === null ? "(removed)" : JSON.stringify(object(data));
  const shown = value.length > VALUE_SHOWN_MAX ? `${value.slice(0, VALUE_SHOWN_MAX - 1)}…` : value;
  return [position, committedAt, `${cluster}/${lane}/${epoch}/${seq}`, type, key, shown];
}

/** One event of an endless list: a line of JSON, a YAML document (JSON is YAML), or a line for people. */
export function eventLine(item: EventItem, format: Format): string {
  if (format === "json") return `${JSON.stringify(item)}\n`;
  if (format === "yaml") return `---\n${JSON.stringify(item)}\n`;
  return `${eventCells(item).join("  ")}\n`;
}
