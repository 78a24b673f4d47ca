/** @hansa/bus: the logs on NATS JetStream. The only importer of `nats`; everyone else sees LogBus of @hansa/events. */

export { type BusOptions, connectBus } from "./src/agent-bus.ts";
export {
  type ConsumeOptions,
  type Consumption,
  connectHubBus,
  type HubBus,
  type HubBusOptions,
} from "./src/hub-bus.ts";
export {
  type AccountRequest,
  createIssuer,
  type Issuer,
  type IssuerKeys,
  newIssuerKeys,
  type UserRequest,
} from "./src/issuer.ts";
export {
  accountKeyOf,
  type BusCredentials,
  type BusKeys,
  isUserKey,
  newAccountKeys,
  newUserKeys,
  signWithSeed,
} from "./src/keys.ts";
export { type NatsServerOptions, natsServerConfig } from "./src/server-config.ts";
export { type StreamSize, storageBytesFor } from "./src/streams.ts";
