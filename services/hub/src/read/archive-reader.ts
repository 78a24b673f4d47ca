/**
 * Folds for questions: one that follows the archive for "now", and a few kept of past positions. Reads Postgres only, so
 * a hub that does not lead answers the same.
 */
import { nodeCrypto } from "@hansa/identity";
import type { Federation } from "@hansa/model";
import { type ArchiveFold, foldAt, followTo, type Moment, type Now, resolveMoment } from "@hansa/store";
import type { HubContext } from "../context.ts";
import { Serial } from "../serial.ts";

const PAST_FOLDS_MAX = 4;

export interface Known extends Now {
  readonly fed: Federation;
}

export class ArchiveReader {
  readonly #hub: Pick<HubContext, "store" | "keys">;
  readonly #serial = new Serial();
  #present: { fold: ArchiveFold; position: number } | null = null;
  readonly #past = new Map<number, Promise<ArchiveFold>>();

  constructor(hub: Pick<HubContext, "store" | "keys">) {
    this.#hub = hub;
  }

  now(): Promise<Now> {
    return this.#hub.store.now();
  }

  resolve(moment: Moment): Promise<Now> {
    return resolveMoment(this.#hub.store.db, moment);
  }

  /** The fold at a moment, or at the archive's end. The caller reads from it at once: the present one moves on. */
  async fold(moment: Moment | null): Promise<Known> {
    if (moment === null) return this.#serial.run(() => this.#follow());
    const at = await this.resolve(moment);
    const fold = await this.#pastFold(at.position);
    return { ...at, fed: fold.fed };
  }

  async #follow(): Promise<Known> {
    const { store } = this.#hub;
    const now = await this.now();
    const before = this.#present;
    this.#present = null;
    const fold =
      before === null
        ? await foldAt(store, now.position, this.#options())
        : await followTo(store, before.fold, before.position, now.position);
    this.#present = { fold, position: now.position };
    return { ...now, fed: fold.fed };
  }

  #pastFold(position: number): Promise<ArchiveFold> {
    const kept = this.#past.get(position);
    this.#past.delete(position);
    const made = kept ?? this.#serial.run(() => foldAt(this.#hub.store, position, this.#options()));
    this.#past.set(position, made);
    made.catch(() => this.#past.delete(position));
    for (const oldest of this.#past.keys()) {
      if (this.#past.size <= PAST_FOLDS_MAX) break;
      this.#past.delete(oldest);
    }
    return made;
  }

  #options() {
    return { genesis: this.#hub.keys.genesis, crypto: nodeCrypto };
  }
}
