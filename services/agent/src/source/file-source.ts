/**
 * Watches the file source: reads it at start and at every change, keeps the last good version. Change notices come
 * from the file system; a slow poll covers file systems that send none.
 */
import { createHash } from "node:crypto";
import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Log, Metrics, TimerHandle, Timers } from "@hansa/core";
import { DOCUMENT_BYTES_MAX, parseSource, type SourceContext, type SourceDocument } from "./document.ts";
import { YamlParts } from "./yaml-parts.ts";

const POLL_MS = 1000;

export interface SourceStatus {
  readonly file: string;
  /** Content hash of the version in force, "" before the first good one. */
  readonly version: string;
  readonly loadedMs: number;
  /** Problems of the newest content; empty where it is the version in force. */
  readonly problems: readonly string[];
  /** Wall clock: from when on the version in force may be old. Only of an API server; absent while it is heard. */
  readonly staleSinceMs?: number;
}

export interface FileSourceOptions {
  readonly file: string;
  readonly context: SourceContext;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly timers: Timers;
  readonly nowMs: () => number;
  readonly onDocument: (document: SourceDocument) => void;
}

export class FileSource {
  readonly #options: FileSourceOptions;
  #watcher: FSWatcher | undefined;
  #poll: TimerHandle | undefined;
  readonly #yaml = new YamlParts();
  #seen = "";
  #stamp = "";
  #status: SourceStatus;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#status = { file: options.file, version: "", loadedMs: 0, problems: [] };
  }

  get status(): SourceStatus {
    return this.#status;
  }

  start(): void {
    this.#load();
    const { file, timers } = this.#options;
    try {
      // The folder, not the file: editors and the lab replace the file by renaming.
      this.#watcher = watch(dirname(file), (_event, name) => {
        if (name === null || name === basename(file)) this.#load();
      });
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch (error) {
      this.#options.log.warn("file source: no change notices, polling only", { reason: String(error) });
    }
    this.#poll = timers.every(POLL_MS, () => this.#pollOnce());
  }

  stop(): void {
    this.#watcher?.close();
    this.#poll?.cancel();
  }

  #pollOnce(): void {
    let stamp = "";
    try {
      const stat = statSync(this.#options.file);
      stamp = `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    } catch {
      stamp = "missing";
    }
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#load();
  }

  #load(): void {
    const text = this.#read();
    if (text === undefined) return;
    const version = createHash("sha256").update(text).digest("hex").slice(0, 16);
    if (version === this.#seen) return;
    this.#seen = version;
    const parsed = parseSource(text, this.#options.context, this.#yaml);
    if (parsed.kind === "problems") {
      this.#refuse(parsed.problems);
      return;
    }
    this.#status = { ...this.#status, version, loadedMs: this.#options.nowMs(), problems: [] };
    this.#options.metrics.count("hansa_source_reloads_total", { outcome: "loaded" });
    this.#options.onDocument(parsed.document);
  }

  #read(): string | undefined {
    const { file } = this.#options;
    try {
      if (statSync(file).size > DOCUMENT_BYTES_MAX) {
        this.#refuse([`the file is larger than ${DOCUMENT_BYTES_MAX} bytes`]);
        return undefined;
      }
      return readFileSync(file, "utf8");
    } catch (error) {
      // A file that is gone for a moment or for good is no reason to withdraw anything.
      const problem = `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
      if (this.#status.problems[0] !== problem) this.#refuse([problem]);
      this.#seen = "";
      return undefined;
    }
  }

  #refuse(problems: readonly string[]): void {
    this.#status = { ...this.#status, problems };
    this.#options.metrics.count("hansa_source_reloads_total", { outcome: "refused" });
    this.#options.log.error("file source: not valid, the last good version stays in force", {
      code: "HSA1003",
      file: this.#options.file,
      problems: problems.join("; "),
    });
  }
}
