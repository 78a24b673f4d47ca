/**
 * What an agent's process leaves behind when it dies: outbox, journal, files. A process may die at any one write; a power
 * cut takes the end of the journal, which is not synced, and never what is.
 */
import { LANES, type WireRecord } from "@hansa/events";
import { fromLines, type Journal, toLine, wholeLength } from "../../services/agent/src/follow/journal.ts";
import { memoryOutbox, type Outbox } from "../../services/agent/src/log/outbox.ts";
import type { Disk } from "../../services/agent/src/ports.ts";
import type { Machine, Seeded } from "./kernel.ts";
import { Served } from "./served.ts";

export class Left {
  files = new Map<string, Uint8Array>();
  outbox: Outbox = memoryOutbox();
  journal: string[] = [];
  /** What it showed its Envoys last. */
  served = new Served();

  /** A backup of the whole machine. What the machine went on to show is not known to it. */
  static copyOf(left: Left): Left {
    const copy = new Left();
    copy.files = new Map(left.files);
    copy.journal = [...left.journal];
    for (const lane of LANES) {
      const position = left.outbox.position(lane);
      for (const record of left.outbox.oldest(lane, Number.POSITIVE_INFINITY))
        if (position !== undefined) copy.outbox.append(record, position);
    }
    return copy;
  }

  /** The machine lost power: what was not synced is gone, and half a line may be left. */
  powerCut(random: Seeded): void {
    const lost = random.below(this.journal.length + 1);
    const torn = this.journal.splice(this.journal.length - lost, lost)[0];
    if (torn !== undefined && random.chance(0.5)) this.journal.push(torn.slice(0, random.below(torn.length)));
    this.served = new Served();
  }

  holds({ header }: WireRecord): boolean {
    return this.outbox
      .oldest(header.lane, Number.POSITIVE_INFINITY)
      .some(
        ({ header: kept }) =>
          kept.epoch === header.epoch && kept.seq === header.seq && kept.sig === header.sig,
      );
  }
}

/** One process's hold on what is left: ends with it. */
export interface Held {
  readonly disk: Disk;
  readonly outbox: Outbox;
  readonly journal: Journal;
  /** It dies at its write after so many more. */
  dieAfter(writes: number): void;
}

export function hold(left: Left, machine: Machine, die: () => void): Held {
  let writesLeft = Number.POSITIVE_INFINITY;
  const write = (run: () => void, half: () => void = () => {}): void => {
    if (!machine.alive) return;
    writesLeft -= 1;
    if (writesLeft >= 0) {
      run();
      return;
    }
    half();
    die();
  };
  reopen(left);
  return {
    dieAfter(writes) {
      writesLeft = writes;
    },
    disk: {
      read: (name) => left.files.get(name),
      write: (name, content) => write(() => void left.files.set(name, content)),
    },
    outbox: {
      append: (record, position) => write(() => left.outbox.append(record, position)),
      position: (lane) => left.outbox.position(lane),
      oldest: (lane, max) => left.outbox.oldest(lane, max),
      drop: (lane, upTo) => write(() => left.outbox.drop(lane, upTo)),
      depth: () => left.outbox.depth(),
      overflowed: () => left.outbox.overflowed(),
      close: () => {},
    },
    journal: {
      append(record) {
        const line = toLine(record);
        write(
          () => void left.journal.push(line),
          () => void left.journal.push(line.slice(0, line.length / 2)),
        );
      },
      read: () => fromLines(left.journal.join("")),
      clear: () => write(() => void left.journal.splice(0)),
      sizeBytes: () => left.journal.reduce((size, line) => size + line.length, 0),
      close: () => {},
    },
  };
}

/** As the file is opened. */
function reopen(left: Left): void {
  const text = left.journal.join("");
  const whole = Buffer.from(text);
  left.journal = text === "" ? [] : [whole.subarray(0, wholeLength(whole)).toString()];
}
