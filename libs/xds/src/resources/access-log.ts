/**
 * Access logs on stdout. The listener's log is the one place that shows refused handshakes, guard denials and unknown
 * SNI alike; the HTTP log shows what failed, with Envoy's flags and details (envoy-dataplane §6.2).
 */
import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  ComparisonFilter_Op,
  StdoutAccessLogSchema,
} from "../../gen/index.ts";
import { extension, type Init } from "./message.ts";

type Log = Init<typeof AccessLogSchema>;
export type LogFilter = Init<typeof AccessLogFilterSchema>;

const stdout = (line: string): Log =>
  extension("envoy.access_loggers.stdout", StdoutAccessLogSchema, {
    accessLogFormat: {
      case: "logFormat",
      value: {
        format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value: line } } },
      },
    },
  });

export const status = (op: ComparisonFilter_Op, value: number): LogFilter => ({
  filterSpecifier: {
    case: "statusCodeFilter",
    value: {
      comparison: {
        op,
        value: { defaultValue: value, runtimeKey: `hansa.status.${value}` },
      },
    },
  },
});

const anyFlag: LogFilter = { filterSpecifier: { case: "responseFlagFilter", value: { flags: [] } } };

/** Requests that failed or carry a flag; the good ones are the application's to log. */
export const httpLog = (kind: string): Log => ({
  ...stdout(
    `%START_TIME% ${kind} "%REQ(:METHOD)% %REQ(:AUTHORITY)%" status=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% ` +
      `details=%RESPONSE_CODE_DETAILS% tls=%UPSTREAM_TRANSPORT_FAILURE_REASON% cluster=%UPSTREAM_CLUSTER% ` +
      `upstream=%UPSTREAM_HOST% peer=%DOWNSTREAM_PEER_URI_SAN% ms=%DURATION% id=%REQ(X-REQUEST-ID)%\n`,
  ),
  filter: {
    filterSpecifier: { case: "orFilter", value: { filters: [status(ComparisonFilter_Op.GE, 400), anyFlag] } },
  },
});

/** `claimed`: on a refused handshake the id is the unverified one of the presented certificate. */
export const listenerLog = (kind: string): Log =>
  stdout(
    `%START_TIME% ${kind} sni=%REQUESTED_SERVER_NAME% from=%DOWNSTREAM_REMOTE_ADDRESS% flags=%RESPONSE_FLAGS% ` +
      `refused=%DOWNSTREAM_TRANSPORT_FAILURE_REASON% ended=%CONNECTION_TERMINATION_DETAILS% ` +
      `claimed=%DOWNSTREAM_PEER_URI_SAN% ms=%DURATION%\n`,
  );

export const tcpLog = (kind: string): Log =>
  stdout(
    `%START_TIME% ${kind} cluster=%UPSTREAM_CLUSTER% upstream=%UPSTREAM_HOST% flags=%RESPONSE_FLAGS% ` +
      `tls=%UPSTREAM_TRANSPORT_FAILURE_REASON% ended=%CONNECTION_TERMINATION_DETAILS% ` +
      `in=%BYTES_RECEIVED% out=%BYTES_SENT% ms=%DURATION%\n`,
  );

export const unknownSniLog = (): Log =>
  stdout("unknown_sni %REQUESTED_SERVER_NAME% %DOWNSTREAM_REMOTE_ADDRESS%\n");
