/** What a case is, and what it gets to work with. */
import { deepStrictEqual } from "node:assert";
import { AdsClient, type Response, type Target } from "./client.ts";
import type { Change, Control } from "./control.ts";
import { resource, typeName, variantOf } from "./resources.ts";

export interface Case {
  /** Number of the rule in README.md, then of the corner. */
  readonly id: string;
  readonly family: string;
  readonly title: string;
  /** Promises of Hansa beyond the protocol: other servers are asked only with --all. */
  readonly beyond?: true;
  run(world: World): Promise<void>;
}

/** One case's view of the target. Names are its own, so that cases do not meet; `close` takes everything away again. */
export class World {
  readonly target: Target;
  private readonly control: Control;
  private readonly prefix: string;
  private readonly clients: AdsClient[] = [];
  private readonly made = new Map<string, Change>();

  constructor(target: Target, control: Control, id: string) {
    this.target = target;
    this.control = control;
    this.prefix = `c${id.replaceAll(".", "-")}-${process.pid}`;
  }

  name(text: string): string {
    return `${this.prefix}-${text}`;
  }

  isOwn(name: string): boolean {
    return name.startsWith(`${this.prefix}-`);
  }

  client(nodeId = this.target.nodeId): AdsClient {
    const client = new AdsClient({ ...this.target, nodeId });
    this.clients.push(client);
    return client;
  }

  /** Makes or changes a resource. `text` is the case's own short name. Answers the full name. `padding` makes a secret large. */
  async put(typeUrl: string, text: string, v = 1, padding = ""): Promise<string> {
    const change = this.change(typeUrl, text, v, padding);
    await this.control.put(change.type, change.name, change.resource ?? {});
    return change.name;
  }

  async remove(typeUrl: string, text: string): Promise<void> {
    await this.control.remove(typeName(typeUrl), this.name(text));
  }

  /** v null removes. */
  async batch(
    changes: readonly (readonly [typeUrl: string, text: string, v: number | null])[],
  ): Promise<void> {
    await this.control.batch(changes.map(([typeUrl, text, v]) => this.change(typeUrl, text, v)));
  }

  private change(typeUrl: string, text: string, v: number | null, padding = ""): Change {
    const name = this.name(text);
    const change = {
      type: typeName(typeUrl),
      name,
      resource: v === null ? null : resource(typeUrl, name, v, padding),
    };
    this.made.set(`${typeUrl} ${name}`, { ...change, resource: null });
    return change;
  }

  /** What a response says of this case's names, short: `{cluster: {a: 1}, removed: ["b"]}` without the prefix. */
  own(response: Response): { resources: Record<string, number>; removed: string[] } {
    const short = (name: string) => name.slice(this.prefix.length + 1);
    const mine = response.resources.filter(({ name }) => this.isOwn(name));
    return {
      resources: Object.fromEntries(mine.map((one) => [short(one.name), variantOf(one)])),
      removed: response.removed
        .filter((name) => this.isOwn(name))
        .map(short)
        .sort(),
    };
  }

  /** Fails unless the response says exactly this of the case's names. */
  expect(response: Response, resources: Record<string, number>, removed: readonly string[] = []): void {
    deepStrictEqual(this.own(response), { resources, removed: [...removed].sort() });
  }

  /** Subscribes, takes the answer and acknowledges it. */
  async subscribed(client: AdsClient, typeUrl: string, texts: readonly string[]): Promise<Response> {
    client.send(typeUrl, { subscribe: texts.map((text) => (text === "*" ? text : this.name(text))) });
    const response = await client.next(typeUrl);
    client.ack(response);
    return response;
  }

  /** Silence about this case's names. */
  async silent(client: AdsClient): Promise<void> {
    const told = (await client.quiet())
      .map((response) => ({ typeUrl: response.typeUrl, ...this.own(response) }))
      .filter(({ resources, removed }) => Object.keys(resources).length + removed.length > 0);
    deepStrictEqual(told, []);
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    if (this.made.size > 0) await this.control.batch([...this.made.values()]);
  }
}

/** Runs one case. Resolves to undefined, or to what went wrong. */
export async function runCase(one: Case, target: Target, control: Control): Promise<Error | undefined> {
  const world = new World(target, control, one.id);
  let failure: Error | undefined;
  try {
    await one.run(world);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  try {
    await world.close();
  } catch (error) {
    failure ??= error instanceof Error ? error : new Error(String(error));
  }
  return failure;
}
