/**
 * The Tracer port on OpenTelemetry. Traces are sent where the OTEL_EXPORTER_OTLP_* variables say; without them the SDK is
 * not even loaded.
 */

import type { Labels, Tracer } from "@hansa/core";
import {
  type Context,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  type Span,
  TraceFlags,
  trace,
} from "@opentelemetry/api";

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is still held. */
  stop(): Promise<void>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** `service`: OpenTelemetry's service.name where OTEL_SERVICE_NAME says none. undefined where nobody collects. */
export async function startTracing(service: string, env: Env): Promise<Tracing | undefined> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined || endpoint === "" || env.OTEL_SDK_DISABLED === "true") return undefined;
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  // Logs and metrics have doors of their own.
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME ?? service,
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return { tracer: otelTracer(trace.getTracer("hansa")), stop: () => sdk.shutdown() };
}

function otelTracer(tracer: OtelTracer): Tracer {
  const start = (name: string, attributes: Labels, parent: Context) => {
    const span = tracer.startSpan(name, { attributes }, parent);
    return span.isRecording() ? { traceparent: traceparentOf(span), end: () => span.end() } : undefined;
  };
  return {
    begin: (name, attributes = {}) => start(name, attributes, ROOT_CONTEXT),
    below: (traceparent, name, attributes = {}) => {
      const parent = contextOf(traceparent);
      return parent === undefined ? undefined : start(name, attributes, parent);
    },
  };
}

function traceparentOf(span: Span): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

/** W3C Trace Context, version 00. Only sampled traces travel. */
function contextOf(traceparent: string): Context | undefined {
  const [version, traceId, spanId, flags] = traceparent.split("-");
  if (version !== "00" || traceId === undefined || spanId === undefined || flags !== "01") return undefined;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}
