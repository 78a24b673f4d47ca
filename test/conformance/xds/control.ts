/** Client of the control API (README.md): how the suite changes the resources of the server under test. */

export type Json = Readonly<Record<string, unknown>>;

export interface Change {
  /** Full name of the message, e.g. `envoy.config.cluster.v3.Cluster`. */
  readonly type: string;
  readonly name: string;
  /** Protobuf JSON; null removes. */
  readonly resource: Json | null;
}

export interface Control {
  put(type: string, name: string, resource: Json): Promise<void>;
  remove(type: string, name: string): Promise<void>;
  /** All at once where the server can; else one by one in this order. */
  batch(changes: readonly Change[]): Promise<void>;
}

export function httpControl(url: string): Control {
  const base = url.replace(/\/+$/, "");
  const one = async ({ type, name, resource }: Change): Promise<void> => {
    const path = `/resources/${encodeURIComponent(type)}/${encodeURIComponent(name)}`;
    const response = await call(`${base}${path}`, resource === null ? "DELETE" : "PUT", resource);
    // Removing what is not there is no error of the server under test.
    if (!response.ok && !(resource === null && response.status === 404)) throw await failure(path, response);
  };
  return {
    put: (type, name, resource) => one({ type, name, resource }),
    remove: (type, name) => one({ type, name, resource: null }),
    batch: async (changes) => {
      const response = await call(`${base}/resources`, "POST", { changes });
      if (response.ok) return;
      if (![404, 405, 501].includes(response.status)) throw await failure("/resources", response);
      for (const change of changes) await one(change);
    },
  };
}

function call(url: string, method: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const init = body === null ? { method } : { method, headers, body: JSON.stringify(body) };
  return fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
}

const failure = async (path: string, response: Response): Promise<Error> =>
  new Error(`control API ${path.slice(0, 200)}: ${response.status} ${(await response.text()).slice(0, 500)}`);
