/** The archive's events as pages and as a stream, and the audit trail. */
import { HansaError } from "@hansa/core";
import { type ArchivedEvent, EVENTS_PAGE_MAX, type EventFilter, listAudit, listEvents } from "@hansa/store";
import * as z from "zod";
import { parseMoment } from "../../read/moment.ts";
import type { Hub } from "../hub.ts";
import type { Answer, Call, Route } from "../route.ts";
import { at, name } from "./query.ts";

const filter = {
  source: name.optional().describe("cluster name"),
  type: z.string().max(64).optional(),
  key: z.string().max(512).optional(),
  since: z.string().max(60).optional().describe("RFC 3339 time, duration ago, or position: events after it"),
};

const STREAMS_MAX = 64;
/** Bytes that a slow reader may leave unread before it is cut off; it resumes by Last-Event-ID. */
const STREAM_BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;

const shown = ({ committedMs, ...event }: ArchivedEvent) => ({
  ...event,
  committedAt: new Date(committedMs).toISOString(),
});

type Asked = Pick<EventFilter, "cluster" | "type" | "key">;

function askedOf(query: Call["query"]): Asked {
  const { source, type, key } = query as { source?: string; type?: string; key?: string };
  return {
    ...(source === undefined ? {} : { cluster: source }),
    ...(type === undefined ? {} : { type }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Position after which events are wanted; a moment before the first record is the beginning. */
async function sinceOf(hub: Hub, since: unknown): Promise<number | null> {
  if (typeof since !== "string") return null;
  const moment = parseMoment(since);
  if ("position" in moment) return moment.position;
  return hub.reader.resolve(moment).then(
    ({ position }) => position,
    () => 0,
  );
}

/** Without `since` or `cursor`: the newest events. In order of their position in any case. */
async function events(hub: Hub, query: Call["query"]): Promise<Answer> {
  const limit = Number(query.limit);
  const now =
    typeof query.at === "string" ? await hub.reader.resolve(parseMoment(query.at)) : await hub.reader.now();
  const cursor = query.cursor === undefined ? null : Number(query.cursor);
  const after = cursor ?? (await sinceOf(hub, query.since));
  const page = { ...askedOf(query), after: after ?? 0, through: now.position };
  const found = await listEvents(hub.store.db, { ...page, limit: limit + 1, descending: after === null });
  const items = after === null ? found.slice(0, limit).reverse() : found.slice(0, limit);
  const next = after !== null && found.length > limit ? String(items.at(-1)?.position) : null;
  return { data: { items: items.map(shown), next }, ...now };
}

let streams = 0;

export function measureStreams({ metrics }: Hub): void {
  metrics.gauge("hansa_queue_depth", streams, { queue: "event-streams" });
  metrics.gauge("hansa_queue_bound", STREAMS_MAX, { queue: "event-streams" });
}

async function stream(hub: Hub, { query, request, reply }: Call): Promise<undefined> {
  if (streams >= STREAMS_MAX)
    throw new HansaError("HSA1006", `at most ${STREAMS_MAX} event streams at once`, {
      details: { status: 429 },
    });
  const resume = request.headers["last-event-id"];
  const since =
    typeof resume === "string" && /^\d{1,15}$/.test(resume)
      ? Number(resume)
      : await sinceOf(hub, query.since);
  let after = since ?? (await hub.reader.now()).position;
  streams += 1;
  measureStreams(hub);
  reply.hijack();
  const { raw } = reply;
  let open = true;
  raw.on("close", () => {
    open = false;
  });
  raw.on("error", () => {
    open = false;
  });
  raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  raw.write(": hansa events\n\n");
  const beat = hub.timers.every(KEEP_ALIVE_MS, () => {
    if (open) raw.write(":\n\n");
  });
  try {
    while (open && !hub.commits.closed) {
      const { position } = await hub.reader.now();
      const found = await listEvents(hub.store.db, {
        ...askedOf(query),
        after,
        through: position,
        limit: EVENTS_PAGE_MAX,
      });
      for (const event of found)
        raw.write(`id: ${event.position}\nevent: event\ndata: ${JSON.stringify(shown(event))}\n\n`);
      after = found.length === EVENTS_PAGE_MAX ? (found.at(-1)?.position ?? position) : position;
      if (raw.writableLength > STREAM_BUFFER_BYTES_MAX) break;
      if (found.length < EVENTS_PAGE_MAX) await hub.commits.next();
    }
  } catch (error) {
    hub.log.debug("event stream ended", { reason: String(error) });
  } finally {
    beat.cancel();
    streams -= 1;
    measureStreams(hub);
    raw.end();
  }
  return undefined;
}

export const eventRoutes = (hub: Hub): Route[] => [
  {
    method: "GET",
    path: "/v1/events",
    kind: "EventList",
    summary: "Archived events in order of their position; the newest where neither since nor cursor is given",
    access: "viewer",
    query: z.strictObject({
      ...at,
      ...filter,
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(EVENTS_PAGE_MAX - 1)
        .default(100),
      cursor: z
        .string()
        .regex(/^\d{1,15}$/)
        .optional(),
    }),
    handle: ({ query }) => events(hub, query),
  },
  {
    method: "GET",
    path: "/v1/events/stream",
    kind: "EventStream",
    summary: "The same as server-sent events, from `since` or from now on",
    access: "viewer",
    query: z.strictObject(filter),
    raw: true,
    handle: (call) => stream(hub, call),
  },
  {
    method: "GET",
    path: "/v1/audit",
    kind: "AuditList",
    summary: "Who asked the hub for what",
    access: "operator",
    query: z.strictObject({
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(EVENTS_PAGE_MAX - 1)
        .default(100),
      cursor: z
        .string()
        .regex(/^\d{1,15}$/)
        .optional(),
    }),
    handle: async ({ query }) => {
      const limit = Number(query.limit);
      const rows = await listAudit(hub.store.db, Number(query.cursor ?? 0), limit + 1);
      const items = rows
        .slice(0, limit)
        .map(({ atMs, ...row }) => ({ ...row, at: new Date(atMs).toISOString() }));
      const next = rows.length > limit ? String(items.at(-1)?.id) : null;
      return { data: { items, next }, ...(await hub.reader.now()) };
    },
  },
];
