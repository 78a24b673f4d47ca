/** Whether something answers: what the lab waits for while it starts a component; and the word to an Envoy that it ends. */
import { get, request } from "node:http";
import { connect } from "node:net";

const TIMEOUT_MS = 1000;

/** True where a TCP connection is accepted. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => finish(true));
    for (const event of ["error", "timeout"]) socket.once(event, () => finish(false));
  });
}

/** True where `GET url` (plain HTTP) answers 200. */
export function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}

/** Asks an Envoy to send its callers away: GOAWAY or `connection: close` with each answer. False where it is silent. */
export function drain(admin: string): Promise<boolean> {
  return new Promise((resolve) => {
    const url = `${admin}/healthcheck/fail`;
    const sent = request(url, { method: "POST", timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.once("timeout", () => sent.destroy());
    sent.once("error", () => resolve(false));
    sent.end();
  });
}
