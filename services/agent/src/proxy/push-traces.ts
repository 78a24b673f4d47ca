/** Traces of what the next build takes in: each from the change until it is on its way, and from there to its acknowledgement. */
import type { Span, Tracer } from "@hansa/core";

const TRACES_PER_BUILD_MAX = 64;

export class PushTraces {
  readonly #tracer: Tracer | undefined;
  #pushes: Span[] = [];

  constructor(tracer: Tracer | undefined) {
    this.#tracer = tracer;
  }

  changed(traceparent: string): void {
    const span = this.#tracer?.below(traceparent, "push");
    if (span !== undefined && this.#pushes.length < TRACES_PER_BUILD_MAX) this.#pushes.push(span);
  }

  /** What was built is on its way to the Envoys: from here on their answers are waited for. */
  sent(): Span[] {
    const pushes = this.#pushes;
    this.#pushes = [];
    return pushes.flatMap((push) => {
      push.end();
      return this.#tracer?.below(push.traceparent, "ack") ?? [];
    });
  }
}
