/**
 * Keeps the API server's ServiceImports, EndpointSlices and export conditions in step with the imports and the exports of
 * this cluster. Owns lists of what it writes, and what is under way; writes only while it may.
 */
import type { ClusterName } from "@hansa/core";
import {
  Applier,
  type Change,
  ENDPOINT_SLICES,
  type KubeClient,
  type KubePorts,
  type McsVersion,
  type Project,
  Reflector,
  type Resource,
  serviceImports,
  type Write,
  type Written,
} from "@hansa/kube";
import { exportVerdict, type FederationReader, importedNames } from "@hansa/model";
import type { Validity } from "../source/kube/export-check.ts";
import type { Json } from "../source/kube/json.ts";
import type { ConditionObject, ExportObject } from "../source/kube/objects.ts";
import { type ExportState, exportConditions } from "./conditions.ts";
import type { EntryPlace } from "./entry.ts";
import { EntryWriter } from "./entry-writer.ts";
import type { EventWriter } from "./event-writer.ts";
import type { Imports, ServiceName } from "./imports.ts";
import { SLICE_MANAGED_BY, SLICE_MANAGER } from "./names.ts";
import { type ActualImport, type ActualSlice, projectImport, projectMcsSlice } from "./objects.ts";
import { planService } from "./plan.ts";
import { SentWrites } from "./sent.ts";

/** Between looks at whether it may write now, and at writes that did not go out. */
const LOOK_MS = 1000;
/** Between tries of what was refused: the right may be granted by then, the kind served. */
const REFUSED_AGAIN_MS = 30_000;
/** A change is on its way to Envoys and to other clusters for so long, and they go first; several of a service are one write. */
const PLAN_AFTER_MS = 50;
/** Services planned in one go, before others get their turn. */
const PLANS_AT_ONCE = 100;

export interface OwnExport {
  readonly object: ExportObject;
  readonly validity: Validity;
  readonly state: ExportState;
}

export interface ImportWriterOptions {
  readonly client: KubeClient;
  readonly ports: KubePorts;
  readonly version: McsVersion;
  readonly fed: FederationReader;
  readonly cluster: ClusterName;
  readonly imports: Imports;
  readonly ownExport: (key: string) => OwnExport | undefined;
  readonly ownExports: () => Iterable<string>;
  readonly hash: (text: string) => string;
  readonly slices: "all" | "headless" | "none";
  readonly events: EventWriter;
  /** Elected, and everything that is written from was read. */
  readonly mayWrite: () => boolean;
  /** Gateway mode: where local pods come in. */
  readonly entry?: EntryPlace | undefined;
  readonly namespaces: () => Pick<Reflector<unknown>, "synced">;
  /** Namespaces and the ServiceImports of before were read. */
  readonly onRead: () => void;
}

export class ImportWriter {
  readonly #options: ImportWriterOptions;
  readonly #actual: Reflector<ActualImport>;
  readonly #slices: Reflector<ActualSlice>;
  /** Service → its slices by key. */
  readonly #slicesOf = new Map<string, Map<string, ActualSlice>>();
  readonly #applier: Applier;
  readonly #entries: EntryWriter | undefined;
  readonly #sent = new SentWrites();
  readonly #dirty = new Set<string>();
  readonly #foreign = new Set<string>();
  readonly #refused = new Set<string>();
  #isPlanning = false;
  #mightWrite = false;
  #isRead = false;
  #stops: (() => void)[] = [];

  constructor(options: ImportWriterOptions) {
    this.#options = options;
    const { client, ports, version } = options;
    const mine = `${SLICE_MANAGED_BY}=${SLICE_MANAGER}`;
    this.#actual = this.#reflector(serviceImports(version), projectImport, (changes) => {
      for (const { key } of changes) this.#touch(key);
    });
    this.#slices = this.#reflector(
      ENDPOINT_SLICES,
      projectMcsSlice,
      (changes) => this.#slicesChanged(changes),
      mine,
    );
    this.#applier = new Applier({ client, ports, mayWrite: () => this.#mayWrite() });
    const { entry, hash } = options;
    this.#entries =
      entry === undefined ? undefined : new EntryWriter({ ...entry, version, hash }, this.#applier);
  }

  /** Everything that it writes over was read. */
  get synced(): boolean {
    return this.#options.namespaces().synced && this.reflectors.every(({ synced }) => synced);
  }

  get reflectors(): readonly Reflector<unknown>[] {
    return [this.#actual, this.#slices] as readonly Reflector<unknown>[];
  }

  /** ServiceImports as they are. */
  get actual(): ReadonlyMap<string, ActualImport> {
    return this.#actual.values;
  }

  start(): void {
    for (const reflector of this.reflectors) reflector.start();
    const { timers } = this.#options.ports;
    const look = timers.every(LOOK_MS, () => this.#look());
    const again = timers.every(REFUSED_AGAIN_MS, () => this.#tryRefused());
    this.#stops.push(
      () => look.cancel(),
      () => again.cancel(),
    );
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    for (const reflector of this.reflectors) reflector.stop();
    this.#applier.stop();
  }

  /** Imports were computed again, or own exports have changed. */
  changed(keys: Iterable<string>): void {
    for (const key of keys) this.#touch(key);
  }

  /** Gateways for pods without a proxy are others now. */
  entriesChanged(): void {
    if (this.#entries !== undefined) this.changed(this.#actual.values.keys());
  }

  #reflector<T>(
    resource: Resource,
    project: (object: Json) => T | undefined,
    onChanges: (changes: readonly Change<T>[]) => void,
    labelSelector?: string,
  ): Reflector<T> {
    const { client, ports } = this.#options;
    return new Reflector<T>({
      client,
      ports,
      resource,
      project: project as unknown as Project<T>,
      onChanges,
      onSynced: () => this.#listRead(),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    });
  }

  #listRead(): void {
    if (this.#isRead || !this.synced) return;
    this.#isRead = true;
    this.#options.onRead();
    this.#look();
  }

  /** They were made, or are gone; or they were read. */
  namespacesChanged(namespaces: readonly string[]): void {
    if (!this.#isRead) {
      this.#listRead();
      return;
    }
    const { fed, cluster, imports } = this.#options;
    const changed = new Set(namespaces);
    const known = [...importedNames(fed, cluster), ...imports.names()];
    const names = known.filter(({ namespace }) => changed.has(namespace));
    imports.refresh(names);
    this.changed(names.map(keyOfName));
  }

  #slicesChanged(changes: readonly Change<ActualSlice>[]): void {
    for (const change of changes) {
      if (change.before !== undefined) this.#slicesIn(change.before).delete(change.key);
      if (change.kind === "set") this.#slicesIn(change.value).set(change.key, change.value);
      for (const value of [change.before, change.kind === "set" ? change.value : undefined])
        if (value !== undefined) this.#touch(`${value.slice.namespace}/${value.slice.service}`);
    }
  }

  #slicesIn({ slice }: ActualSlice): Map<string, ActualSlice> {
    const key = `${slice.namespace}/${slice.service}`;
    const slices = this.#slicesOf.get(key) ?? new Map<string, ActualSlice>();
    this.#slicesOf.set(key, slices);
    return slices;
  }

  #mayWrite(): boolean {
    return this.synced && this.#options.mayWrite();
  }

  /** Who begins to write looks at everything: another may have written meanwhile. */
  #look(): void {
    const may = this.#mayWrite();
    if (may && !this.#mightWrite) {
      this.#sent.clear();
      this.#entries?.clear();
      const { imports, ownExports } = this.#options;
      this.changed([
        ...imports.names().map(keyOfName),
        ...this.actual.keys(),
        ...this.#slicesOf.keys(),
        ...ownExports(),
      ]);
    }
    this.#mightWrite = may;
    if (may) this.#planSoon();
  }

  #touch(key: string): void {
    this.#dirty.add(key);
    if (this.#mightWrite) this.#planSoon();
  }

  #planSoon(): void {
    if (this.#isPlanning) return;
    this.#isPlanning = true;
    this.#options.ports.timers.after(PLAN_AFTER_MS, () => void this.#planDirty());
  }

  async #planDirty(): Promise<void> {
    try {
      while (this.#dirty.size > 0 && this.#mayWrite()) {
        for (const key of [...this.#dirty].slice(0, PLANS_AT_ONCE)) {
          this.#dirty.delete(key);
          this.#plan(key);
        }
        if (this.#dirty.size > 0) await this.#options.ports.timers.sleep(0);
      }
    } finally {
      this.#isPlanning = false;
    }
  }

  #plan(key: string): void {
    const { imports, version, hash, ports, slices: slicesFor } = this.#options;
    const [namespace = "", name = ""] = key.split("/");
    const own = this.#options.ownExport(key);
    const now = new Date(ports.clock.nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const slices = [...(this.#slicesOf.get(key)?.values() ?? [])];
    if (slices.length === 0) this.#slicesOf.delete(key);
    const { writes, foreign } = planService(
      {
        namespace,
        name,
        served: imports.get(namespace, name),
        assigned: imports.assigned(namespace, name),
        actual: this.actual.get(key),
        slices,
        exported: own === undefined ? undefined : this.#conditions(own, { namespace, name }, now),
      },
      { version, hash, now, slices: slicesFor },
    );
    this.#tellForeign(key, foreign);
    const actual = this.actual.get(key);
    this.#entries?.plan(key, imports.get(namespace, name), actual?.ours === true ? actual.uid : undefined);
    this.#send(key, writes, own?.object);
  }

  #conditions(own: OwnExport, { namespace, name }: ServiceName, now: string) {
    const { fed, cluster } = this.#options;
    const { conditions: before, generation } = own.object;
    const verdict = exportVerdict({ fed, observer: cluster }, namespace, name);
    return {
      before,
      conditions: exportConditions(own.validity, own.state, verdict, { generation, before, now }),
    };
  }

  #send(key: string, writes: readonly Write[], exported: ExportObject | undefined): void {
    const actualOf = ({ target: { resource, namespace, name } }: Write) => {
      if (resource.plural === "serviceexports") return exported;
      if (resource.plural === "serviceimports") return this.actual.get(key);
      return this.#slicesOf.get(key)?.get(`${namespace}/${name}`);
    };
    const due = this.#sent.due(key, writes, actualOf);
    for (const object of due.contested)
      this.#options.ports.log.error("mcs: somebody undoes what Hansa writes; it is left as they want it", {
        code: "HSA7007",
        object,
      });
    for (const write of due.writes) {
      const actual = actualOf(write);
      const before = actual !== undefined && "conditions" in actual ? actual.conditions : [];
      void this.#applier.write(write).then((written) => this.#written(key, write, before, written));
    }
  }

  #written(key: string, write: Write, before: readonly ConditionObject[], written: Written): void {
    if (written.outcome === "applied" && write.kind === "apply" && write.target.subresource === "status")
      this.#options.events.statusApplied({ write, before, uid: written.uid });
    if ("problem" in written) this.#refused.add(key);
    if (written.outcome !== "not-writer" && written.outcome !== "full") return;
    this.#sent.forget(key);
    this.#dirty.add(key);
  }

  #tryRefused(): void {
    for (const key of this.#refused) {
      this.#sent.forget(key);
      this.#touch(key);
    }
    this.#refused.clear();
  }

  #tellForeign(key: string, foreign: boolean): void {
    const { log, metrics } = this.#options.ports;
    if (foreign && !this.#foreign.has(key))
      log.error("mcs: a ServiceImport was made by somebody else and is left alone", {
        code: "HSA4011",
        object: key,
      });
    if (foreign) this.#foreign.add(key);
    else if (!this.#foreign.delete(key)) return;
    metrics.gauge("hansa_foreign_service_imports", this.#foreign.size);
  }
}

export const keyOfName = ({ namespace, name }: ServiceName): string => `${namespace}/${name}`;
