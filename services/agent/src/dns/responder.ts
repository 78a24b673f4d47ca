/** A message in, the answer's message out, whichever way it came. Counts; its owner tells the counts. */
import type { Log, Metrics, Random } from "@hansa/core";
import { type Answer, answerOf } from "./answer.ts";
import { RCODE, type Rcode } from "./codes.ts";
import { encodeAnswer, refusal, TCP_BYTES_MAX, udpBytesMax } from "./message.ts";
import { type Echo, readQuery } from "./query.ts";
import type { Zone } from "./zone.ts";

export type Transport = "udp" | "tcp";

const RCODE_NAMES: Readonly<Record<Rcode, string>> = {
  [RCODE.noError]: "NOERROR",
  [RCODE.formErr]: "FORMERR",
  [RCODE.servFail]: "SERVFAIL",
  [RCODE.nxDomain]: "NXDOMAIN",
  [RCODE.notImp]: "NOTIMP",
  [RCODE.refused]: "REFUSED",
  [RCODE.badVers]: "BADVERS",
};

export interface ResponderPorts {
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class Responder {
  readonly #zone: Zone;
  readonly #ports: ResponderPorts;
  /** Added up here: naming a series costs more than answering a query. */
  readonly #counts: Record<Transport, Map<Rcode, number>> = { udp: new Map(), tcp: new Map() };
  readonly #silent: Record<Transport, number> = { udp: 0, tcp: 0 };

  constructor(zone: Zone, ports: ResponderPorts) {
    this.#zone = zone;
    this.#ports = ports;
  }

  /** Undefined: no answer. Total, whatever the bytes are. */
  respond(message: Buffer, transport: Transport): Buffer | undefined {
    const reading = readQuery(message);
    if (reading.kind === "silence") {
      this.#silent[transport] += 1;
      return undefined;
    }
    const answer =
      reading.kind === "query" ? this.#answer(() => answerOf(this.#zone, reading)) : refusal(reading.rcode);
    const encoded = this.#encode(message, reading, answer, transport);
    const counts = this.#counts[transport];
    counts.set(answer.rcode, (counts.get(answer.rcode) ?? 0) + 1);
    return encoded;
  }

  /** What was counted since the last time. */
  flush(): void {
    const { metrics } = this.#ports;
    for (const transport of ["udp", "tcp"] as const) {
      for (const [rcode, count] of this.#counts[transport])
        metrics.count("hansa_dns_answers_total", { transport, rcode: RCODE_NAMES[rcode] }, count);
      this.#counts[transport].clear();
      if (this.#silent[transport] > 0)
        metrics.count("hansa_dns_silent_total", { transport }, this.#silent[transport]);
      this.#silent[transport] = 0;
    }
  }

  #encode(message: Buffer, echo: Echo, answer: Answer, transport: Transport): Buffer {
    const count = answer.records?.ends.length ?? 0;
    const first = count > 1 ? Math.floor(this.#ports.random.float() * count) : 0;
    return encodeAnswer(
      message,
      echo,
      answer,
      transport === "udp" ? udpBytesMax(echo) : TCP_BYTES_MAX,
      first,
    );
  }

  /** A mistake in the zone's making costs this one answer, not the agent: anybody may ask for the name again. */
  #answer(make: () => Answer): Answer {
    try {
      return make();
    } catch (error) {
      this.#ports.log.error("dns: an answer cannot be made", { reason: String(error) });
      return refusal(RCODE.servFail);
    }
  }
}
