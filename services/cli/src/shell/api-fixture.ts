/**
 * For specs: servers that answer as hub and agents do, on loopback over TLS, and the CLI run in this process against
 * them. Answers are what a spec says; every request is kept.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CODES, HansaError, isHansaError, systemClock } from "@hansa/core";
import { type ApiTarget, createTlsAuthority, nodeRandom } from "@hansa/identity";
import { vi } from "vitest";
import { buildProgram } from "../main.ts";
import { runProgram } from "./program.ts";

export interface Request {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly token: string;
  readonly body: unknown;
}

/** `METHOD /path` → the answer's `data`; a function may throw a HansaError. `raw` answers the body as it is. */
export type Routes = Record<string, unknown | ((request: Request) => unknown)>;

export class FakeApi {
  readonly requests: Request[] = [];
  readonly #routes: Routes;
  readonly #server: Server;
  readonly #caPem: string;

  readonly #hasArchive: boolean;

  private constructor(
    routes: Routes,
    hasArchive: boolean,
    tls: { caPem: string; cert: string; key: string },
  ) {
    this.#routes = routes;
    this.#hasArchive = hasArchive;
    this.#caPem = tls.caPem;
    this.#server = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += String(chunk);
      });
      request.on("end", () => {
        const seen = {
          method: request.method ?? "",
          path: request.url ?? "",
          token: (request.headers.authorization ?? "").replace("Bearer ", ""),
          body: text === "" ? undefined : JSON.parse(text),
        };
        this.requests.push(seen);
        const { status, body } = this.#answer(seen);
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
  }

  /** An agent: its answers have no position in the archive. */
  static startAgent = (routes: Routes): Promise<FakeApi> => FakeApi.start(routes, false);

  static async start(routes: Routes, hasArchive = true): Promise<FakeApi> {
    const authority = createTlsAuthority("spec", { clock: systemClock, random: nodeRandom });
    const { certPem, keyPem } = authority.issueServer(["127.0.0.1"]);
    const api = new FakeApi(routes, hasArchive, { caPem: authority.certPem, cert: certPem, key: keyPem });
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get target(): ApiTarget {
    const { port } = this.#server.address() as AddressInfo;
    return { url: `https://127.0.0.1:${port}`, caPem: this.#caPem, token: "secret" };
  }

  /** Changes answers while it runs. */
  set(routes: Routes): void {
    Object.assign(this.#routes, routes);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: Request): { status: number; body: unknown } {
    try {
      const key = `${request.method} ${request.path.split("?")[0]}`;
      const route = this.#routes[key];
      if (route === undefined) throw new HansaError("HSA1005", `${key}: no such route`);
      const data = typeof route === "function" ? (route as (asked: Request) => unknown)(request) : route;
      if (data instanceof Raw) return { status: data.status, body: data.body };
      const stamp = this.#hasArchive
        ? { position: 42, committedAt: "2026-11-23T06:00:00.000Z" }
        : { position: null, committedAt: null };
      return { status: 200, body: { apiVersion: "hansa/v1", kind: "Spec", data, ...stamp } };
    } catch (error) {
      if (!isHansaError(error)) throw error;
      const { code, message, details } = error;
      const body = { kind: "Error", code, message, details, todo: CODES[code].todo };
      return { status: error.httpStatus, body };
    }
  }
}

/** An answer with its own status and no envelope. */
export class Raw {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

export const items = (...list: readonly object[]) => ({ items: list, next: null });

/** A target where nobody listens. */
export const nobody = async (): Promise<ApiTarget> => {
  const api = await FakeApi.start({});
  const { target } = api;
  await api.stop();
  return target;
};

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  // biome-ignore lint/suspicious/noExplicitAny: specs read many shapes and assert what they read.
  readonly json: any;
}

/** Runs a command as `main.ts` does, and takes what it prints. */
export async function runCli(args: readonly string[]): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const take = (add: (text: string) => void) =>
    ((text: string | Uint8Array, ...rest: unknown[]) => {
      add(String(text));
      const done = rest.find((one) => typeof one === "function") as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof process.stdout.write;
  const out = vi.spyOn(process.stdout, "write").mockImplementation(
    take((text) => {
      stdout += text;
    }),
  );
  const err = vi.spyOn(process.stderr, "write").mockImplementation(
    take((text) => {
      stderr += text;
    }),
  );
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    const status = await runProgram(await buildProgram(args[0]), args);
    return { status, stdout, stderr, json: parsed(stdout) };
  } finally {
    process.exitCode = before;
    out.mockRestore();
    err.mockRestore();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export interface World {
  readonly folder: string;
  /** Runs with this world's context; JSON unless the arguments say otherwise. */
  run(...args: string[]): Promise<Ran>;
  end(): Promise<void>;
}

/** A context file for these servers. `operatorKeys`: PEM texts, written beside it. */
export async function world(
  hub: FakeApi | ApiTarget,
  agents: Readonly<Record<string, FakeApi | ApiTarget>> = {},
  operatorKeys: readonly string[] = [],
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "hansa-cli-"));
  const targetOf = (one: FakeApi | ApiTarget) => (one instanceof FakeApi ? one.target : one);
  const keys = operatorKeys.map((pem, index) => {
    const file = join(folder, `operator-${index}.pem`);
    writeFileSync(file, pem, { mode: 0o600 });
    return file;
  });
  const context = {
    federation: "lab.hansa",
    hub: targetOf(hub),
    agents: Object.fromEntries(Object.entries(agents).map(([name, one]) => [name, targetOf(one)])),
    operatorKeys: keys,
  };
  const file = join(folder, "context.json");
  writeFileSync(file, JSON.stringify(context), { mode: 0o600 });
  const servers = [hub, ...Object.values(agents)].filter((one) => one instanceof FakeApi);
  return {
    folder,
    run: (...args) => {
      const format = args.includes("-o") ? [] : ["-o", "json"];
      return runCli([...args, "--context", file, ...format]);
    },
    async end() {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
