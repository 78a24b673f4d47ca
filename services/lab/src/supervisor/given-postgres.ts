/**
 * A database of the lab's own on a server that is somebody else's (HANSA_POSTGRES_URL): made when the lab starts,
 * dropped when it ends. `kill` and `start` close and open this one database, so that the server is never touched.
 */
import { randomBytes } from "node:crypto";
import { openStore, type Store } from "@hansa/store";
import type { Running } from "./component.ts";

export class GivenPostgres {
  readonly #admin: Store;
  readonly #name = `hansa_lab_${randomBytes(6).toString("hex")}`;
  /** What the hub connects to; a secret. */
  readonly url: string;
  #made = false;

  constructor(serverUrl: string) {
    this.#admin = openStore({ url: serverUrl });
    const url = new URL(serverUrl);
    url.pathname = `/${this.#name}`;
    this.url = url.href;
  }

  /** Throws HSA2011 where the server does not answer. */
  async start(): Promise<Running> {
    if (!this.#made) await this.#admin.db.query(`create database ${this.#name}`);
    else await this.#admin.db.query(`alter database ${this.#name} allow_connections true`);
    this.#made = true;
    const exited = Promise.withResolvers<{ code: number; signal: null }>();
    const end = async () => {
      await this.#shut();
      exited.resolve({ code: 0, signal: null });
      return await exited.promise;
    };
    return { pid: null, exited: exited.promise, isReady: () => this.#answers(), stop: end, kill: end };
  }

  async #answers(): Promise<boolean> {
    return await this.#admin.db.query("select 1").then(
      () => true,
      () => false,
    );
  }

  async #shut(): Promise<void> {
    await this.#admin.db.query(`alter database ${this.#name} allow_connections false`);
    await this.#admin.db.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
      [this.#name],
    );
  }

  async drop(): Promise<void> {
    if (this.#made) await this.#admin.db.query(`drop database if exists ${this.#name} with (force)`);
    await this.#admin.close();
  }
}
