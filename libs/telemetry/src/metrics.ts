/** The Metrics port on prom-client, and the text that `/metrics` answers. */
import type { Labels, Metrics } from "@hansa/core";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricDefinition } from "./catalogue.ts";

export interface MetricsRegistry extends Metrics {
  /** Prometheus text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Forgets one series, e.g. of a peer that has left. */
  remove(name: string, labels: Labels): void;
}

type Instrument =
  | { readonly kind: "counter"; readonly metric: Counter }
  | { readonly kind: "gauge"; readonly metric: Gauge }
  | { readonly kind: "histogram"; readonly metric: Histogram };

function build(name: string, definition: MetricDefinition, registry: Registry): Instrument {
  const common = { name, help: definition.help, labelNames: [...definition.labels], registers: [registry] };
  if (definition.kind === "counter") return { kind: "counter", metric: new Counter(common) };
  if (definition.kind === "gauge") return { kind: "gauge", metric: new Gauge(common) };
  const buckets = definition.buckets === undefined ? {} : { buckets: [...definition.buckets] };
  return { kind: "histogram", metric: new Histogram({ ...common, ...buckets }) };
}

/**
 * `extra` = definitions of a part beside the catalogue. A name that nobody defined is made at first use with its
 * labels as given: a missing help text must not stop an agent.
 */
export function createMetrics(extra: Readonly<Record<string, MetricDefinition>> = {}): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const definitions = { ...METRICS, ...extra };
  const instruments = new Map<string, Instrument>();

  function instrument(name: string, kind: MetricDefinition["kind"], labels: Labels): Instrument {
    const known = instruments.get(name);
    if (known !== undefined) return known;
    const definition = definitions[name] ?? { kind, help: name, labels: Object.keys(labels) };
    const made = build(name, definition, registry);
    instruments.set(name, made);
    return made;
  }

  return {
    count(name, labels = {}, by = 1) {
      const found = instrument(name, "counter", labels);
      if (found.kind === "counter") found.metric.inc(labels, by);
    },
    gauge(name, value, labels = {}) {
      const found = instrument(name, "gauge", labels);
      if (found.kind === "gauge") found.metric.set(labels, value);
    },
    observe(name, value, labels = {}) {
      const found = instrument(name, "histogram", labels);
      if (found.kind === "histogram") found.metric.observe(labels, value);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    remove(name, labels) {
      instruments.get(name)?.metric.remove(labels);
    },
  };
}
