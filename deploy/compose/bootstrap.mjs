/** Writes the gateway's Envoy bootstrap, as its agent gives it, to /sockets/gateway.json. */
import { readFileSync, writeFileSync } from "node:fs";
import { call } from "./call.mjs";

const bootstrap = await call("https://172.30.7.10:15010/v1/proxies/gateway%2Fgw/bootstrap", {
  ca: readFileSync("/agent/admin-ca.pem"),
  token: readFileSync("/agent/keys/admin.token", "utf8").trim(),
});
writeFileSync("/sockets/gateway.json", JSON.stringify(bootstrap.data ?? bootstrap), { mode: 0o600 });
