/**
 * Keeps a cache of one kind of object in step with the API server: does what the machine says and tells it what came. Owns the one
 * request under way, the one timer, and what is counted. Never withdraws anything by itself.
 */
import { type HansaError, sameJson, type TimerHandle } from "@hansa/core";
import type { Answer, KubeClient } from "../client/client.ts";
import { CHECK_TIMEOUT_MS, LIST_TIMEOUT_MS } from "../client/limits.ts";
import { isProblem, type Problem, problemError } from "../client/problem.ts";
import type { KubePorts } from "../ports.ts";
import { type Resource, type Target, textOf } from "../resource.ts";
import type { Change, Same } from "./cache.ts";
import { type Action, type Input, ReflectorMachine, type WatchEvent } from "./machine.ts";
import { ObjectReader, type Project } from "./read.ts";
import { REFLECTOR_SETTINGS, type ReflectorSettings } from "./settings.ts";

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  readonly ports: KubePorts;
  readonly resource: Resource;
  /** Default: the whole cluster. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly project: Project<T>;
  /** Default: the same JSON. A change between same values is not told. */
  readonly same?: Same<T>;
  /** In order, as a batch for each chunk of the watch; the first batch is the first list. */
  readonly onChanges: (changes: readonly Change<T>[]) => void;
  /** Once, after the first list's changes were told. */
  readonly onSynced?: () => void;
  /** How many objects were known before this process began: a first list of half of them or less is confirmed too. */
  readonly expectedCount?: number;
  readonly settings?: Partial<ReflectorSettings>;
}

export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #settings: ReflectorSettings;
  readonly #machine: ReflectorMachine<T>;
  readonly #reader: ObjectReader<T>;
  readonly #target: Target;
  readonly #selectors: Readonly<Record<string, string>>;
  readonly #labels: { readonly resource: string };
  #timer: TimerHandle | undefined;
  /** Of the request under way: what an older one still says is not heard. */
  #turn = 0;
  #close: (() => void) | undefined;
  #isStopped = false;
  #unlisten: (() => void) | undefined;
  #problem: HansaError | undefined;
  #staleSinceMs: number | undefined;

  constructor(options: ReflectorOptions<T>) {
    const { resource, namespace, labelSelector, fieldSelector, ports } = options;
    this.#options = options;
    this.#settings = { ...REFLECTOR_SETTINGS, ...options.settings };
    this.#machine = new ReflectorMachine({
      settings: this.#settings,
      random: ports.random,
      same: options.same ?? sameJson,
      expectedCount: options.expectedCount ?? 0,
    });
    this.#target = { resource, namespace };
    this.#labels = { resource: textOf({ resource }) };
    this.#selectors = {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    this.#reader = new ObjectReader(options.project, (key, said) => {
      ports.metrics.count("hansa_kube_unreadable_total", this.#labels);
      ports.log.error("kube: an object cannot be read; what was known of it stays", {
        ...this.#labels,
        code: "HSA7008",
        object: key,
        problem: said,
      });
    });
  }

  /** A whole list was taken. A caller that writes waits for this of every reflector whose facts it writes from. */
  get synced(): boolean {
    return this.#machine.synced;
  }

  /** Key → value, as last told. */
  get values(): ReadonlyMap<string, T> {
    return this.#machine.cache.values;
  }

  /** Why nothing is heard at the moment; undefined while the watch is in order. */
  get problem(): HansaError | undefined {
    return this.#problem;
  }

  /** Wall clock, ms: from when on what is known may be old; undefined while the watch is in order. */
  get staleSinceMs(): number | undefined {
    return this.#staleSinceMs;
  }

  start(): void {
    this.#unlisten = this.#options.client.onReached(() => {
      if (this.#problem?.code === "HSA7001") this.#step({ kind: "reached" });
    });
    this.#step({ kind: "start" });
  }

  stop(): void {
    this.#isStopped = true;
    this.#unlisten?.();
    this.#endRequest();
    this.#timer?.cancel();
  }

  #step(input: Input<T>): void {
    if (this.#isStopped) return;
    if (input.kind === "failed") this.#tellProblem(input.problem);
    else if (input.kind !== "timer" && input.kind !== "reached") this.#heard();
    for (const action of this.#machine.step(input, this.#options.ports.clock.monotonicMs())) this.#do(action);
  }

  #heard(): void {
    this.#problem = undefined;
    this.#staleSinceMs = undefined;
  }

  #do(action: Action<T>): void {
    if (action.kind === "list") this.#list(action.limit, action.more);
    else if (action.kind === "check") this.#check(action.version);
    else if (action.kind === "watch") this.#watch(action.version);
    else if (action.kind === "close") this.#endRequest();
    else if (action.kind === "timer") this.#setTimer(action.afterMs);
    else this.#tell(action);
  }

  #setTimer(afterMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.ports.timers.after(afterMs, () => this.#step({ kind: "timer" }));
  }

  #tell(action: Extract<Action<T>, { readonly kind: "changes" | "synced" | "relist" | "doubt" }>): void {
    const { metrics, log } = this.#options.ports;
    if (action.kind === "changes") {
      this.#safely(() => this.#options.onChanges(action.changes));
      metrics.gauge("hansa_kube_objects", this.values.size, this.#labels);
    } else if (action.kind === "synced") {
      log.info("kube: read whole", { ...this.#labels, count: this.values.size });
      this.#safely(() => this.#options.onSynced?.());
    } else if (action.kind === "relist") {
      metrics.count("hansa_kube_relists_total", { ...this.#labels, reason: action.reason });
      log.info("kube: everything is listed anew", { ...this.#labels, reason: action.reason });
    } else {
      metrics.count("hansa_kube_doubted_lists_total", this.#labels);
      log.warn("kube: a list lacks much of what was known; nothing is withdrawn before the next one", {
        ...this.#labels,
        code: "HSA7010",
        missing: action.missingCount,
        known: action.knownCount,
      });
    }
  }

  #list(limit: number, more: string | undefined): void {
    const query = { limit: String(limit), ...(more === undefined ? {} : { continue: more }) };
    this.#ask(query, LIST_TIMEOUT_MS, (body) => {
      const page = this.#reader.page(body);
      return isProblem(page) ? { kind: "failed", problem: page } : { kind: "page", page };
    });
  }

  #check(version: string): void {
    const query = { limit: "1", resourceVersion: version, resourceVersionMatch: "NotOlderThan" };
    this.#ask(query, CHECK_TIMEOUT_MS, () => ({ kind: "checked" }));
  }

  #ask(query: Readonly<Record<string, string>>, timeoutMs: number, read: (body: unknown) => Input<T>): void {
    const turn = this.#nextTurn();
    const answered = (answer: Answer): void => {
      if (turn !== this.#turn) return;
      this.#step(answer.ok ? read(answer.body) : { kind: "failed", problem: answer.problem });
    };
    void this.#options.client
      .send({
        method: "GET",
        target: this.#target,
        query: { ...this.#selectors, ...query },
        timeoutMs,
      })
      .then(answered);
  }

  #watch(version: string): void {
    const turn = this.#nextTurn();
    const { random } = this.#options.ports;
    const query = {
      ...this.#selectors,
      resourceVersion: version,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(Math.ceil((this.#settings.watchMs * (1 + random.float())) / 1000)),
    };
    this.#close = this.#options.client.watch(this.#target, query, {
      lines: (lines) => {
        if (turn === this.#turn) this.#lines(lines);
      },
      ended: (problem) => {
        if (turn !== this.#turn) return;
        this.#step(problem === undefined ? { kind: "ended" } : { kind: "failed", problem });
      },
    });
  }

  /** What came before the line that cannot be read counts. */
  #lines(lines: readonly string[]): void {
    const events: WatchEvent<T>[] = [];
    let failed: Problem | undefined;
    for (const line of lines) {
      const event = this.#reader.event(line);
      if (isProblem(event)) {
        failed = event;
        break;
      }
      events.push(event);
    }
    if (events.length > 0) this.#step({ kind: "events", events });
    if (failed !== undefined) this.#step({ kind: "failed", problem: failed });
  }

  #nextTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  #endRequest(): void {
    this.#nextTurn();
    this.#close?.();
    this.#close = undefined;
  }

  #tellProblem(problem: Problem): void {
    const { ports } = this.#options;
    ports.metrics.count("hansa_kube_watch_problems_total", { ...this.#labels, kind: problem.kind });
    const error = problemError(problem, `${this.#machine.at} ${textOf(this.#target)}`);
    // Once for each kind of problem in a row: an API server that is away is not said every ten seconds.
    if (this.#problem?.code !== error.code)
      ports.log.warn("kube: list or watch failed; what is known stays in force", {
        code: error.code,
        problem: error.message,
      });
    this.#problem = error;
    this.#staleSinceMs ??= ports.clock.nowMs();
  }

  #safely(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#options.ports.metrics.count("hansa_kube_callback_failures_total", this.#labels);
      this.#options.ports.log.error("kube: a callback of a reflector failed", {
        ...this.#labels,
        code: "HSA1011",
        problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }
}
