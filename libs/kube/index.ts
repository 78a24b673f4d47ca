/** @hansa/kube: one cluster's API server: credentials, requests, list/watch, writes, election, tokens. */
