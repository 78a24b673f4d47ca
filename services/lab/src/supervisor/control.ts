/** The supervisor's control API: HTTP on a unix socket in a 0700 folder, so that only the lab's user reaches it. */
import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { CODES, HansaError, isHansaError } from "@hansa/core";
import { z } from "zod";
import type { Component } from "./component.ts";
import type { Action } from "./lab.ts";

const BODY_BYTES_MAX = 64 * 1024;

const actionBody = z.strictObject({
  action: z.enum(["start", "stop", "kill", "pause", "resume"]),
  names: z.array(z.string().min(1).max(300)).min(1).max(200),
});
const scaleBody = z.strictObject({
  cluster: z.string(),
  namespace: z.string(),
  workload: z.string(),
  count: z.int().min(0).max(100),
});

/** What a lab of either kind lets its user do. */
export interface Controlled {
  components(): Component[];
  /** Where callers find everything. */
  place(): unknown;
  act(action: Action, names: readonly string[]): Promise<Component[]>;
  scale(cluster: string, namespace: string, workload: string, count: number): Promise<void>;
}

export function serveControl(lab: Controlled, socket: string, requestDown: () => void): Server {
  const routes: Record<string, (body: unknown) => Promise<unknown>> = {
    "GET /components": async () => lab.components().map(describe),
    "GET /status": async () => Promise.all(lab.components().map(examine)),
    "GET /place": async () => lab.place(),
    "POST /action": async (body) => {
      const { action, names } = check(actionBody, body);
      return Promise.all((await lab.act(action, names)).map(examine));
    },
    "POST /scale": async (body) => {
      const { cluster, namespace, workload, count } = check(scaleBody, body);
      await lab.scale(cluster, namespace, workload, count);
      return { cluster, namespace, workload, count };
    },
    "POST /down": async () => {
      requestDown();
      return {};
    },
  };
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > BODY_BYTES_MAX) request.destroy();
    });
    request.on("end", async () => {
      try {
        const route = routes[`${request.method} ${request.url}`];
        if (!route)
          throw new HansaError("HSA1005", `${request.method} ${request.url}: the lab has no such call`);
        respond(200, await route(text === "" ? {} : JSON.parse(text)));
      } catch (error) {
        const known = isHansaError(error)
          ? error
          : new HansaError("HSA1011", (error as Error).message, { cause: error });
        respond(known.httpStatus, { code: known.code, message: known.message, todo: CODES[known.code].todo });
      }
    });
    const respond = (status: number, answer: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  rmSync(socket, { force: true });
  server.listen(socket);
  return server;
}

const describe = ({ spec, state, pid, starts }: Component) => ({
  name: spec.name,
  kind: spec.kind,
  cluster: spec.cluster,
  state,
  pid: pid ?? null,
  starts,
  ports: spec.ports,
  admin: spec.admin,
  log: spec.log,
});

/** `ok` or `failing` by its own answer, "" while it is not to run. */
async function examine(component: Component) {
  const healthy = await component.isHealthy();
  const health = healthy === undefined ? "" : healthy ? "ok" : "failing";
  return { ...describe(component), health };
}

function check<Shape extends z.ZodType>(shape: Shape, body: unknown): z.infer<Shape> {
  const read = shape.safeParse(body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new HansaError("HSA1004", `${issue?.path.join(".") || "body"}: ${issue?.message}`);
}
