/** @hansa/identity: keys, certificates and the one place that says which SVID is well formed. Adapter over node:crypto. */
export * from "./src/api-client.ts";
export * from "./src/authority.ts";
export * from "./src/bundle.ts";
export * from "./src/chain.ts";
export * from "./src/inspect.ts";
export * from "./src/key-store.ts";
export * from "./src/node-crypto.ts";
export * from "./src/path-probe.ts";
export * from "./src/pem.ts";
export * from "./src/probe.ts";
export * from "./src/signing-key.ts";
export * from "./src/svid.ts";
export * from "./src/tls-authority.ts";
