/** etcd for API servers: started, killed, set back to an earlier copy of its data. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Child, startChild } from "../child.ts";
import { answers } from "./https.ts";

export interface EtcdOptions {
  readonly binary: string;
  /** Folder for its data, backups and log. */
  readonly dir: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

export class Etcd {
  readonly url: string;
  readonly #options: EtcdOptions;
  #child: Child | undefined;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.url = `http://${options.address}:${options.clientPort}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { binary, dir, address, peerPort } = this.#options;
    const peers = `http://${address}:${peerPort}`;
    mkdirSync(dir, { recursive: true });
    this.#child = await startChild({
      argv: [
        binary,
        "--name=lab",
        `--data-dir=${this.#data}`,
        `--listen-client-urls=${this.url}`,
        `--advertise-client-urls=${this.url}`,
        `--listen-peer-urls=${peers}`,
        `--initial-advertise-peer-urls=${peers}`,
        `--initial-cluster=lab=${peers}`,
        // A lab may lose its data in a power cut; waiting for the disk would be most of what a write takes.
        "--unsafe-no-fsync",
        "--log-level=warn",
      ],
      log: join(dir, "etcd.log"),
      stopSignal: "SIGTERM",
      isReady: () => answers(`${this.url}/health`),
    });
  }

  /** At once: in good order it would wait for the API servers to leave. It finds its own data again after a crash. */
  async kill(): Promise<void> {
    await this.#child?.kill();
    this.#child = undefined;
  }

  /** Copies the data while etcd is down for it; etcd runs again when this resolves. */
  async backUp(name: string): Promise<void> {
    await this.kill();
    cpSync(this.#data, this.#backup(name), { recursive: true });
    await this.start();
  }

  /** Puts a copy in the place of the data: revisions after it never were. etcd is killed, and not started again. */
  async restore(name: string): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
    cpSync(this.#backup(name), this.#data, { recursive: true });
  }

  get #data(): string {
    return join(this.#options.dir, "data");
  }

  #backup(name: string): string {
    return join(this.#options.dir, `backup-${name}`);
  }
}
