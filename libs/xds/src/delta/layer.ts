/**
 * One set of named resources per type, encoded once per version and shared by every stream that looks at it.
 * Owns versions (content hashes: stable over restarts and replicas) and the index from a name to who watches it, so
 * that a change costs as much as there are streams that want it. Knows nothing of nonces or ACKs.
 */
import { assert, base64, equalBytes, type Sha256 } from "@hansa/core";
import type { NamedMessage } from "../encode/delta-response.ts";

/** One version of one resource. */
export interface Entry extends NamedMessage {
  /** Prefix of SHA-256 over the message: equal content, equal version, on every replica. */
  readonly version: string;
  /** Of the commit that brought it; orders changes within this process only. */
  readonly revision: number;
}

/** Told of every committed change of a name it watches. Must not commit from inside these calls. */
export interface Watcher {
  changed(name: string, layer: ResourceLayer, previous: Entry | undefined, revision: number): void;
  /** Once per commit, after all `changed`. Several watchers of one stream answer with the same object. */
  readonly owner: { committed(): void };
}

/** null removes. */
export type Changes = Iterable<readonly [name: string, message: Uint8Array | null]>;

/** 16 base64 characters = 96 bits: nobody finds a second content for a version that is in use. */
const VERSION_BYTES = 12;

interface Table {
  readonly entries: Map<string, Entry>;
  readonly watchersByName: Map<string, Set<Watcher>>;
  readonly watchersOfAll: Set<Watcher>;
}

/** Shared by all layers of the process, so that changes of different layers have one order. */
let lastRevision = 0;

export class ResourceLayer {
  private readonly sha256: Sha256;
  private readonly tables = new Map<string, Table>();
  private committedRevision = 0;

  constructor(options: { readonly sha256: Sha256 }) {
    this.sha256 = options.sha256;
  }

  /** Revision of the last commit that changed something; 0 before. */
  get revision(): number {
    return this.committedRevision;
  }

  get(typeUrl: string, name: string): Entry | undefined {
    return this.tables.get(typeUrl)?.entries.get(name);
  }

  names(typeUrl: string): Iterable<string> {
    return this.tables.get(typeUrl)?.entries.keys() ?? [];
  }

  /** `commit` for changes of a single type. */
  update(typeUrl: string, changes: Changes): number {
    return this.commit([[typeUrl, changes]]);
  }

  /**
   * Applies changes of several types as one: a stream never sees a part of them in the wrong order. What has the same
   * content already is no change. Answers the revision that a stream has to acknowledge to have seen them.
   */
  commit(changes: Iterable<readonly [typeUrl: string, changes: Changes]>): number {
    const revision = lastRevision + 1;
    const changed: { table: Table; name: string; previous: Entry | undefined }[] = [];
    for (const [typeUrl, changesOfType] of changes) {
      const table = this.table(typeUrl);
      for (const [name, message] of changesOfType) {
        const previous = table.entries.get(name);
        if (!this.put(table, typeUrl, name, message, revision)) continue;
        changed.push({ table, name, previous });
      }
    }
    if (changed.length === 0) return this.committedRevision;
    lastRevision = revision;
    this.committedRevision = revision;
    this.notify(changed, revision);
    return revision;
  }

  /** Makes the layer hold exactly `resources`, over all types, as one commit. */
  replace(resources: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>): number {
    const changes = new Map<string, Map<string, Uint8Array | null>>();
    for (const [typeUrl, table] of this.tables) {
      const wanted = resources.get(typeUrl);
      const removed = [...table.entries.keys()].filter((name) => !wanted?.has(name));
      changes.set(typeUrl, new Map(removed.map((name) => [name, null])));
    }
    for (const [typeUrl, wanted] of resources)
      changes.set(typeUrl, new Map([...(changes.get(typeUrl) ?? []), ...wanted]));
    return this.commit(changes);
  }

  /** `name` undefined = all of the type. */
  watch(typeUrl: string, name: string | undefined, watcher: Watcher): void {
    const table = this.table(typeUrl);
    if (name === undefined) {
      table.watchersOfAll.add(watcher);
      return;
    }
    const watchers = table.watchersByName.get(name);
    if (watchers === undefined) table.watchersByName.set(name, new Set([watcher]));
    else watchers.add(watcher);
  }

  unwatch(typeUrl: string, name: string | undefined, watcher: Watcher): void {
    const table = this.table(typeUrl);
    if (name === undefined) {
      table.watchersOfAll.delete(watcher);
      return;
    }
    const watchers = table.watchersByName.get(name);
    watchers?.delete(watcher);
    if (watchers?.size === 0) table.watchersByName.delete(name);
  }

  private table(typeUrl: string): Table {
    let table = this.tables.get(typeUrl);
    if (table === undefined) {
      table = { entries: new Map(), watchersByName: new Map(), watchersOfAll: new Set() };
      this.tables.set(typeUrl, table);
    }
    return table;
  }

  private put(
    table: Table,
    typeUrl: string,
    name: string,
    message: Uint8Array | null,
    revision: number,
  ): boolean {
    const previous = table.entries.get(name);
    if (message === null) return table.entries.delete(name);
    if (previous !== undefined && equalBytes(previous.message, message)) return false;
    const digest = this.sha256(message);
    assert(digest.length >= VERSION_BYTES, "sha256 gives at least 12 bytes");
    const version = base64(digest.subarray(0, VERSION_BYTES));
    table.entries.set(name, { name, version, revision, message });
    return true;
  }

  private notify(
    changed: readonly { table: Table; name: string; previous: Entry | undefined }[],
    revision: number,
  ): void {
    const owners = new Set<Watcher["owner"]>();
    const tell = (watcher: Watcher, name: string, previous: Entry | undefined) => {
      watcher.changed(name, this, previous, revision);
      owners.add(watcher.owner);
    };
    for (const { table, name, previous } of changed) {
      for (const watcher of table.watchersOfAll) tell(watcher, name, previous);
      for (const watcher of table.watchersByName.get(name) ?? []) tell(watcher, name, previous);
    }
    for (const owner of owners) owner.committed();
  }
}

/** Layers in order of precedence: the first that has a name gives it. */
export class LayerStack {
  readonly layers: readonly ResourceLayer[];

  constructor(layers: readonly ResourceLayer[]) {
    this.layers = layers;
  }

  get(typeUrl: string, name: string): Entry | undefined {
    for (const layer of this.layers) {
      const entry = layer.get(typeUrl, name);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  *names(typeUrl: string): Iterable<string> {
    for (const [index, layer] of this.layers.entries())
      for (const name of layer.names(typeUrl))
        if (!this.layers.slice(0, index).some((above) => above.get(typeUrl, name) !== undefined)) yield name;
  }

  /** What `get` gave before `layer` had changed from `previous`; "hidden" where a layer above decides anyway. */
  before(
    typeUrl: string,
    name: string,
    layer: ResourceLayer,
    previous: Entry | undefined,
  ): Entry | undefined | "hidden" {
    let reached = false;
    for (const one of this.layers) {
      if (one === layer) {
        reached = true;
        if (previous !== undefined) return previous;
        continue;
      }
      const entry = one.get(typeUrl, name);
      if (entry !== undefined) return reached ? entry : "hidden";
    }
    return undefined;
  }

  get revision(): number {
    let highest = 0;
    for (const layer of this.layers) highest = Math.max(highest, layer.revision);
    return highest;
  }
}
