/** Seeded damage to bytes and records: what a wire, a disk or an enemy without the key can make of a signed thing. */
import { createHash } from "node:crypto";
import type { BusRecord, RecordHeader } from "@hansa/events";

/** Deterministic, uniform enough: SHA-256 of seed and counter, four bytes at a time. */
export class Dice {
  readonly #seed: string;
  #block = Buffer.alloc(0);
  #blocks = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  below(bound: number): number {
    if (this.#block.length < 4) {
      this.#block = createHash("sha256").update(`${this.#seed} ${this.#blocks}`).digest();
      this.#blocks += 1;
    }
    const value = this.#block.readUInt32BE();
    this.#block = this.#block.subarray(4);
    return value % bound;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/** Another byte sequence: a bit turned, a byte set, a piece cut out, doubled or moved. */
export function damaged(bytes: Uint8Array, dice: Dice): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = dice.below(bytes.length);
  const length = 1 + dice.below(Math.min(16, bytes.length - at));
  const piece = bytes.subarray(at, at + length);
  switch (dice.below(5)) {
    case 0:
      copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
      return copy;
    case 1:
      copy[at] = ((copy[at] ?? 0) + 1 + dice.below(255)) % 256;
      return copy;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
  }
}

/** A valid JSON value in the body changed to another of its kind: what damage to bytes rarely gives. */
function otherBody(body: Uint8Array, dice: Dice): Uint8Array {
  const text = Buffer.from(body).toString("utf8");
  const numbers = [...text.matchAll(/(?<=[:[,])\d+(?=[,}\]])/g)];
  const words = [...text.matchAll(/(?<=")[a-z][a-z0-9.-]+(?=")/g)];
  const found = dice.of([...numbers, ...words]);
  const other = /^\d/.test(found[0]) ? String(dice.below(1_000_000)) : `${found[0]}x`;
  return Buffer.from(`${text.slice(0, found.index)}${other}${text.slice(found.index + found[0].length)}`);
}

const HEX = "0123456789abcdef";
const otherHex = (text: string, dice: Dice): string => {
  const at = dice.below(text.length);
  return `${text.slice(0, at)}${HEX[(HEX.indexOf(text[at] ?? "0") + 1 + dice.below(15)) % 16]}${text.slice(at + 1)}`;
};

/** Another record at the same or another place of the same or another's log, without a key. `others` may be quoted. */
export function forged(original: BusRecord, others: readonly BusRecord[], dice: Dice): BusRecord {
  const { header, body } = original.record;
  const other = dice.of(others);
  const headed = (change: Partial<RecordHeader>, bytes = body): BusRecord => ({
    ...original,
    record: { header: { ...header, ...change }, body: bytes },
  });
  const taking = (from: BusRecord): BusRecord => ({ ...original, account: from.account, lane: from.lane });
  switch (dice.below(9)) {
    case 0:
      return headed({}, damaged(body, dice));
    case 1:
      return headed({}, otherBody(body, dice));
    case 2:
      return headed({
        sig: Buffer.from(damaged(Buffer.from(header.sig, "base64"), dice)).toString("base64"),
      });
    case 3:
      return headed({ seq: header.seq + 1 + dice.below(3) });
    case 4:
      return headed({ epoch: header.epoch + 1 + dice.below(3), seq: 1 + dice.below(3) });
    case 5:
      return headed({ prev: header.prev === "" ? "0".repeat(64) : otherHex(header.prev, dice) });
    case 6:
      return headed({ key: otherHex(header.key, dice) });
    case 7:
      // Another's body, or another's signature, under this head.
      return dice.below(2) === 0 ? headed({}, other.record.body) : headed({ sig: other.record.header.sig });
    default:
      // Replayed into another's log or lane, with and without saying so in the head.
      return dice.below(2) === 0
        ? taking(other)
        : {
            ...taking(other),
            record: { header: { ...header, source: other.account, lane: other.lane }, body },
          };
  }
}
