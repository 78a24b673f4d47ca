/** The trace of one lane's next record: it begins with the first change that the record will carry. */
import type { Span, Tracer } from "@hansa/core";
import type { Lane } from "@hansa/events";

export class LaneTrace {
  readonly #tracer: Tracer | undefined;
  readonly #lane: Lane;
  #fact: Span | undefined;
  #publish: Span | undefined;

  constructor(tracer: Tracer | undefined, lane: Lane) {
    this.#tracer = tracer;
    this.#lane = lane;
  }

  changed(): void {
    this.#fact ??= this.#tracer?.begin("fact", { lane: this.#lane });
  }

  /** What the record carries; empty where nothing is traced. */
  formed(): string {
    const fact = this.#fact;
    this.#fact = undefined;
    fact?.end();
    this.#publish?.end();
    this.#publish = this.#tracer?.below(fact?.traceparent ?? "", "publish", { lane: this.#lane });
    return this.#publish?.traceparent ?? "";
  }

  stored(): void {
    this.#publish?.end();
    this.#publish = undefined;
  }
}
