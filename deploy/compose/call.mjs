/** One HTTPS call with one trusted CA. Kept apart from the services: it runs in the containers' one-shot steps. */
import { request } from "node:https";

export function call(url, { ca, token, method = "GET", body }) {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
    };
    const sent = request(url, { method, ca, headers, timeout: 10_000 }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        response.statusCode === 200
          ? resolve(JSON.parse(text))
          : reject(new Error(`${url}: ${response.statusCode} ${text}`)),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`${url}: timed out`)));
    sent.on("error", reject);
    sent.end(payload);
  });
}
