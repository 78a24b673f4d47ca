/**
 * A TCP proxy that makes a bad line of a good one: slow, cut, or closed one way only. Owns the sockets that go through
 * it; knows nothing of what they carry.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export type LineFault =
  | { readonly kind: "none" }
  /** Every piece arrives this much later, in order. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** Connections break and new ones are refused. */
  | { readonly kind: "cut" }
  /** The server's half of every connection ends (FIN); what the client sends still arrives. New ones likewise. */
  | { readonly kind: "half-close" };

export interface LineProxy {
  readonly port: number;
  /** Connections that were opened since the start. */
  opened(): number;
  /** Takes effect on open connections too. */
  set(fault: LineFault): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

export async function lineProxy(
  host: string,
  port: number,
  target: { readonly host: string; readonly port: number },
): Promise<LineProxy> {
  let fault: LineFault = { kind: "none" };
  let opened = 0;
  const pairs = new Set<Pair>();
  const end = ({ client, upstream }: Pair): void => {
    client.destroy();
    upstream.destroy();
  };
  const apply = (pair: Pair): void => {
    if (fault.kind === "cut") end(pair);
    if (fault.kind === "half-close") pair.client.end();
  };
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    opened += 1;
    const upstream = connect({ ...target, allowHalfOpen: true });
    const pair = { client, upstream };
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => end(pair));
      socket.on("close", () => {
        pairs.delete(pair);
        end(pair);
      });
    }
    pass(client, upstream, () => fault);
    pass(upstream, client, () => fault);
    apply(pair);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port,
    opened: () => opened,
    set: (next) => {
      // A connection with a hole in it is none: who was closed one way begins anew.
      if (fault.kind === "half-close") for (const pair of pairs) end(pair);
      fault = next;
      for (const pair of pairs) apply(pair);
    },
    close: async () => {
      for (const pair of pairs) end(pair);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** In order: a timer that fires early or late lets through the piece that is next, never its own. */
function pass(from: Socket, to: Socket, fault: () => LineFault): void {
  const waiting: (() => void)[] = [];
  const after = (run: () => void): void => {
    const now = fault();
    const delayMs = now.kind === "delay" ? now.delayMs : 0;
    waiting.push(run);
    if (delayMs === 0 && waiting.length === 1) waiting.shift()?.();
    else setTimeout(() => waiting.shift()?.(), delayMs);
  };
  from.on("data", (data) =>
    after(() => {
      if (to.writable) to.write(data);
    }),
  );
  from.on("end", () => after(() => void to.end()));
}
