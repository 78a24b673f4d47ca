/** The Log port: one JSON object per line. Fields that could carry a secret are masked whatever they hold. */
import type { Log, LogFields } from "@hansa/core";
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";

const SECRET_FIELDS = [
  "token",
  "secret",
  "password",
  "key",
  "keyPem",
  "pkcs8",
  "seed",
  "jwt",
  "authorization",
  "creds",
];

export type LogLevel = "debug" | "info" | "warn" | "error";

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields?: LogFields) => logger.debug(fields ?? {}, message),
    info: (message, fields?: LogFields) => logger.info(fields ?? {}, message),
    warn: (message, fields?: LogFields) => logger.warn(fields ?? {}, message),
    error: (message, fields?: LogFields) => logger.error(fields ?? {}, message),
    with: (fields) => wrap(logger.child(fields)),
  };
}

export function createLog(options: {
  readonly component: string;
  readonly level?: LogLevel;
  /** Default: standard error, so that standard output stays free for results. */
  readonly stream?: DestinationStream;
}): Log {
  const logger = pino(
    {
      level: options.level ?? "info",
      base: { component: options.component },
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRET_FIELDS, censor: "[masked]" },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );
  return wrap(logger);
}
