/** Secrets on disk: one file each, mode 0600 in a directory of mode 0700, replaced atomically and durably. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { assert, HansaError } from "@hansa/core";

export interface KeyStore {
  /** Throws HSA3002 where others may read the file. */
  read(name: string): string | undefined;
  write(name: string, secret: string): void;
  /** What is stored, or what `make` gives, stored first. */
  ensure(name: string, make: () => string): string;
}

function readSecret(path: string): string | undefined {
  let mode: number;
  try {
    mode = statSync(path).mode;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if ((mode & 0o077) !== 0)
    throw new HansaError(
      "HSA3002",
      `${path}: others may read this key; make it private again with chmod 600, and replace it if anyone did`,
    );
  return readFileSync(path, "utf8");
}

function syncDirectory(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}

/** Writes, syncs and renames: a reader sees the old or the new content, never a part. */
export function writeAtomically(directory: string, name: string, content: string | Uint8Array): void {
  const temporary = join(directory, `.${name}.${process.pid}.tmp`);
  const handle = openSync(temporary, "w", 0o600);
  try {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    let written = 0;
    while (written < bytes.length) written += writeSync(handle, bytes, written);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, join(directory, name));
  syncDirectory(directory);
}

export function openKeyStore(directory: string): KeyStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const store: KeyStore = {
    read(name) {
      assert(/^[a-z0-9][a-z0-9.-]*$/.test(name), `key name ${name}`);
      return readSecret(join(directory, name));
    },
    write(name, secret) {
      assert(/^[a-z0-9][a-z0-9.-]*$/.test(name), `key name ${name}`);
      writeAtomically(directory, name, secret);
    },
    ensure(name, make) {
      const stored = store.read(name);
      if (stored !== undefined) return stored;
      const secret = make();
      store.write(name, secret);
      return secret;
    },
  };
  return store;
}
