/** Talks to the supervisor of this checkout's lab over its unix socket. */
import { request } from "node:http";
import { HansaError, isCode } from "@hansa/core";
import { labPaths } from "../../../../deploy/tools/lab-paths.ts";

/** Where callers and sidecars are: what `lab call` and the tour need. */
export interface LabPlace {
  readonly federation: string;
  readonly fingerprint: string;
  readonly replicas: readonly {
    readonly cluster: string;
    readonly namespace: string;
    readonly workload: string;
    readonly id: string;
    readonly address: string;
    readonly proxy: string;
    readonly admin: string;
  }[];
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
  }[];
  readonly outboundPort: number;
}

export interface ComponentState {
  readonly name: string;
  readonly kind: string;
  readonly cluster: string;
  readonly state: string;
  readonly pid: number | null;
  readonly starts: number;
  readonly ports: Readonly<Record<string, string>>;
  readonly admin: string;
  readonly log: string;
}

export interface ComponentStatus extends ComponentState {
  /** By its own answer, asked now; "" while it is not to run. */
  readonly health: "ok" | "failing" | "";
}

/** Throws HSA6003 where no lab runs. */
export function callLab(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
  const { control } = labPaths();
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: control, method, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const answer = JSON.parse(text) as { code?: string; message?: string };
        if ((response.statusCode ?? 500) < 400) return resolve(answer);
        const code = answer.code !== undefined && isCode(answer.code) ? answer.code : "HSA1011";
        reject(new HansaError(code, answer.message ?? `${path}: failed`));
      });
    });
    sent.on("error", (cause) =>
      reject(
        new HansaError("HSA6003", "no lab of this checkout runs; start one with `hansa lab up --detach`", {
          cause,
        }),
      ),
    );
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export const labComponents = async (): Promise<ComponentState[]> =>
  (await callLab("GET", "/components")) as ComponentState[];
/** Asks every component, which takes a moment. */
export const labStatus = async (): Promise<ComponentStatus[]> =>
  (await callLab("GET", "/status")) as ComponentStatus[];
export const labPlace = async (): Promise<LabPlace> => (await callLab("GET", "/place")) as LabPlace;

export async function labRuns(): Promise<boolean> {
  return await labComponents().then(
    () => true,
    () => false,
  );
}
