/**
 * One supervised process: its states and what moves them. Signals go to its pid. Knows nothing of what the process is
 * for (fleet.ts) nor of the order in which a lab starts (lab.ts).
 */
import { HansaError } from "@hansa/core";
import type { Child } from "../../../../deploy/tools/child.ts";

export type ComponentKind = "hub" | "nats" | "postgres" | "agent" | "gateway" | "sidecar" | "app";
export type ComponentState = "stopped" | "starting" | "running" | "paused" | "exited";

/** A started process, or what stands for one (given-postgres.ts): then it has no pid. */
export type Running = Omit<Child, "pid"> & { readonly pid: number | null };

export interface ComponentSpec {
  /** Path-like and unique: `hub`, `eu/agent`, `eu/shop/pay/pay-1/app`. */
  readonly name: string;
  readonly kind: ComponentKind;
  /** "" for the shared ones. */
  readonly cluster: string;
  readonly log: string;
  /** What it serves, for people: purpose → address. */
  readonly ports: Readonly<Record<string, string>>;
  /** URL of its admin interface, "" where it has none. */
  readonly admin: string;
  /** Starts it and resolves when it does its work; throws with the end of its log. */
  readonly start: () => Promise<Running>;
}

export class Component {
  readonly spec: ComponentSpec;
  state: ComponentState = "stopped";
  /** Times that it was started. */
  starts = 0;
  #child: Running | undefined;
  readonly #changed: (component: Component) => void;

  /** `changed` is called after each change of `state`, whoever caused it. */
  constructor(spec: ComponentSpec, changed: (component: Component) => void) {
    this.spec = spec;
    this.#changed = changed;
  }

  get pid(): number | undefined {
    return this.#child?.pid ?? undefined;
  }

  /** Asked of it now; undefined while it is not to run. */
  async isHealthy(): Promise<boolean | undefined> {
    return this.state === "running" ? await this.#child?.isReady() : undefined;
  }

  /** Throws HSA6005 where it does not become healthy. */
  async start(): Promise<void> {
    if (this.#child || this.state === "starting") return;
    this.#enter("starting");
    this.starts += 1;
    const child = await this.spec.start().catch((cause: unknown) => {
      this.#enter("exited");
      throw new HansaError("HSA6005", `${this.spec.name}: ${(cause as Error).message}`, { cause });
    });
    this.#child = child;
    void child.exited.then(() => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#enter("exited");
    });
    this.#enter("running");
  }

  async stop(): Promise<void> {
    await this.#end((child) => child.stop());
    this.#enter("stopped");
  }

  /** SIGKILL: no farewell of any kind. */
  async kill(): Promise<void> {
    await this.#end((child) => child.kill());
    this.#enter("exited");
  }

  pause(): void {
    process.kill(this.#need("running"), "SIGSTOP");
    this.#enter("paused");
  }

  resume(): void {
    process.kill(this.#need("paused"), "SIGCONT");
    this.#enter("running");
  }

  async #end(end: (child: Running) => Promise<unknown>): Promise<void> {
    const child = this.#child;
    if (!child) return;
    // A stopped process would never see the signal that asks it to end.
    if (this.state === "paused" && child.pid !== null) process.kill(child.pid, "SIGCONT");
    this.#child = undefined;
    await end(child);
  }

  /** The pid of a process in this state. */
  #need(state: ComponentState): number {
    if (!this.#child || this.state !== state)
      throw new HansaError("HSA6004", `${this.spec.name}: is ${this.state} and must be ${state} for this`);
    if (this.#child.pid === null)
      throw new HansaError("HSA6004", `${this.spec.name}: is no process of the lab, it can only be killed`);
    return this.#child.pid;
  }

  #enter(state: ComponentState): void {
    if (this.state === state) return;
    this.state = state;
    this.#changed(this);
  }
}
