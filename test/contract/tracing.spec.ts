/** One trace from a fact in one cluster to the ACK of an Envoy in another, as an OTLP collector receives it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, test, vi } from "vitest";
import { AgentRig, allow, replica, service, until, workload } from "./agent-rig.ts";

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly {
        readonly key: string;
        readonly value: { readonly stringValue?: string };
      }[];
    };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, "service">[] }[];
  }[];
}

const spans: Span[] = [];
let collector: Server;
let rig: AgentRig;

const usDocument = (isReady: boolean) => ({
  services: [service("pay", "http")],
  workloads: [
    workload("pay", [
      replica("pay-1", rig.address("us", 10)),
      replica("pay-2", rig.address("us", 11), isReady),
    ]),
  ],
  allows: [allow("pay", "eu", "web")],
});

function collect({ resourceSpans }: Export): void {
  for (const { resource, scopeSpans } of resourceSpans) {
    const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
    for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service });
  }
}

beforeAll(async () => {
  collector = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part;
    });
    request.on("end", () => {
      if (request.url === "/v1/traces") collect(JSON.parse(body) as Export);
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
  vi.stubEnv("OTEL_BSP_SCHEDULE_DELAY", "100");
  rig = await AgentRig.start();
  rig.source("eu", {
    services: [],
    workloads: [workload("web", [replica("web-1", rig.address("eu", 10))], [])],
  });
  rig.source("us", usDocument(true));
  rig.configure("eu", await rig.joinToken("eu"));
  rig.configure("us", await rig.joinToken("us"));
  await Promise.all([rig.agent("eu"), rig.agent("us")]);
  await rig.envoy("eu", "shop/web/web-1", rig.address("eu", 10));
}, 60_000);

afterAll(async () => {
  vi.unstubAllEnvs();
  await rig?.stop();
  collector?.close();
});

const CHAIN = [
  ["hansa-agent-us", "fact"],
  ["hansa-agent-us", "publish"],
  ["hansa-agent-eu", "fold"],
  ["hansa-agent-eu", "push"],
  ["hansa-agent-eu", "ack"],
] as const;
const COMMIT = [...CHAIN.slice(0, 2), ["hansa-hub", "commit"]] as const;

/** The span at the end of the chain, where one trace holds all of it, each below the one before. */
function endOf(
  chain: readonly (readonly [service: string, name: string])[],
  after: number,
): Span | undefined {
  const fresh = spans.slice(after);
  let ends: Span[] = fresh.filter(({ parentSpanId }) => !parentSpanId);
  for (const [index, [service, name]] of chain.entries()) {
    const named = fresh.filter((span) => span.service === service && span.name === name);
    ends =
      index === 0
        ? named.filter((span) => ends.includes(span))
        : named.filter((span) =>
            ends.some(({ traceId, spanId }) => traceId === span.traceId && spanId === span.parentSpanId),
          );
  }
  return ends[0];
}

test("a change in us is one trace: fact, publish, and in eu fold, push and ack, at the hub its commit", async () => {
  await until("the first facts are through", async () => endOf(CHAIN, 0) !== undefined);
  const before = spans.length;
  rig.source("us", usDocument(false));
  await until("the trace has reached its end", async () => endOf(CHAIN, before) !== undefined);
  await until("the hub has said its part", async () => endOf(COMMIT, before) !== undefined);
});
