/** The real clock and timers: the only place, beside the entry points, where they are read. */
import type { Clock, Labels, Log, LogFields, Metrics, TimerHandle, Timers } from "./ports.ts";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delayMs: number, run: () => void): TimerHandle {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs: number, run: () => void): TimerHandle {
    const timer = setInterval(run, periodMs);
    return { cancel: () => clearInterval(timer) };
  },
  sleep: (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};

/** For tests and tools that have nowhere to write. */
export const silentLog: Log = {
  debug: (_message: string, _fields?: LogFields) => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};

export const noMetrics: Metrics = {
  count: (_name: string, _labels?: Labels, _by?: number) => {},
  gauge: () => {},
  observe: () => {},
};
