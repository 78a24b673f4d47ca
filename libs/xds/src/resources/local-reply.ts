/**
 * Headers on answers that Envoy itself gives: why, for people (`x-hansa-reason`), which code (`x-hansa-code`), and for
 * other sidecars that the application never saw the request (`x-hansa-unsent`), which makes a retry safe for any method.
 */

import type { Code, TrustDomain } from "@hansa/core";
import {
  ComparisonFilter_Op,
  HeaderValueOption_HeaderAppendAction,
  type HeaderValueOptionSchema,
  type LocalReplyConfigSchema,
  type ResponseMapperSchema,
} from "../../gen/index.ts";
import { type LogFilter, status } from "./access-log.ts";
import type { Init } from "./message.ts";

export const REASON_HEADER = "x-hansa-reason";
export const CODE_HEADER = "x-hansa-code";
export const UNSENT_HEADER = "x-hansa-unsent";

const REASON = "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

export const header = (key: string, value: string): Init<typeof HeaderValueOptionSchema> => ({
  header: { key, value },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
});

const flags = (...names: string[]): LogFilter => ({
  filterSpecifier: { case: "responseFlagFilter", value: { flags: names } },
});

type Mapper = Init<typeof ResponseMapperSchema>;

const mapper = (filter: LogFilter, headers: readonly (readonly [string, string])[]): Mapper => ({
  filter,
  // Absent only: a direct response has said more already.
  headersToAdd: [[REASON_HEADER, REASON] as const, ...headers].map(([key, value]) => ({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT,
  })),
});

const code = (value: Code): readonly [string, string] => [CODE_HEADER, value];

const denied = (): Mapper => mapper(status(ComparisonFilter_Op.EQ, 403), [code("HSA4007")]);
const otherwise = (): Mapper => mapper(status(ComparisonFilter_Op.GE, 400), []);

/** The first mapper that matches decides. */
export const outboundReplies = (): Init<typeof LocalReplyConfigSchema> => ({
  mappers: [mapper(flags("UH", "NC"), [code("HSA4006")]), otherwise()],
});

/**
 * UF, UH, UO: no connection to the application was had, so it has seen nothing; the value says whose. The one 403 of
 * a sidecar is the access policy's.
 */
export const inboundReplies = (ownDomain: TrustDomain): Init<typeof LocalReplyConfigSchema> => ({
  mappers: [mapper(flags("UF", "UH", "UO"), [[UNSENT_HEADER, ownDomain]]), denied(), otherwise()],
});

export const probeReplies = (): Init<typeof LocalReplyConfigSchema> => ({ mappers: [denied(), otherwise()] });
