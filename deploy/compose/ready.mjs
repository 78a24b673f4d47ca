/** Health check: 0 where /readyz answers 200. The certificate is not checked: nothing is sent, nothing is believed. */
import { get } from "node:https";

const [, , url] = process.argv;
get(url, { rejectUnauthorized: false, timeout: 4000 }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
)
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
