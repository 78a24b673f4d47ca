/** Names of what an installation has in every cluster. */
export const NAMESPACE = "hansa-system";
export const AGENT = "hansa-agent";
export const GATEWAY_SERVICE = "hansa-gateway";
export const JOIN_SECRET = "hansa-join";
export const FIELD_MANAGER = "hansa-cli";
