/** The body of a watch: lines as they come, and one end. */
import type { IncomingMessage } from "node:http";
import { failureOf } from "./http.ts";
import { LINE_BYTES_MAX } from "./limits.ts";
import { LineSplitter } from "./lines.ts";
import { type Problem, problem } from "./problem.ts";

export interface StreamHandlers {
  /** All whole lines of one chunk, in order; never empty. */
  lines(lines: readonly string[]): void;
  /** Once, at the end; undefined where the server ended it in order. */
  ended(problem: Problem | undefined): void;
}

/** Answers how to stop; then nothing more is heard. */
export function streamBody(response: IncomingMessage, handlers: StreamHandlers): () => void {
  const splitter = new LineSplitter(LINE_BYTES_MAX);
  let isOver = false;
  const end = (failed: Problem | undefined): void => {
    if (isOver) return;
    isOver = true;
    response.destroy();
    handlers.ended(failed);
  };
  response.on("data", (chunk: Buffer) => {
    if (isOver) return;
    const lines = splitter.push(chunk);
    if (lines === undefined) end(problem("unreadable", `a line is longer than ${LINE_BYTES_MAX} bytes`));
    else if (lines.length > 0) handlers.lines(lines);
  });
  response.on("end", () => end(undefined));
  response.on("error", (error) => end(problem("unreachable", failureOf(error).message)));
  response.on("close", () => end(problem("unreachable", "the connection ended")));
  return () => {
    isOver = true;
    response.destroy();
  };
}
