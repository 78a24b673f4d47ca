import { chmodSync, mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@hansa/core";
import { expect, test } from "vitest";
import { openKeyStore } from "./key-store.ts";
import { nodeCrypto, nodeRandom } from "./node-crypto.ts";
import { keyIdOf, loadSigner, newSigningKey } from "./signing-key.ts";

test("RFC 8032 test vector 2 verifies, a changed message does not", () => {
  const key = Buffer.from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "hex");
  const signature = Buffer.from(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    "hex",
  );
  expect(nodeCrypto.verify(key, Uint8Array.of(0x72), signature)).toBe(true);
  expect(nodeCrypto.verify(key, Uint8Array.of(0x73), signature)).toBe(false);
});

test("malformed keys and signatures are false, not exceptions", () => {
  const { signer } = newSigningKey();
  const message = utf8("m");
  const signature = signer.sign(message);
  expect(nodeCrypto.verify(signer.publicKey, message, signature)).toBe(true);
  expect(nodeCrypto.verify(signer.publicKey.subarray(1), message, signature)).toBe(false);
  expect(nodeCrypto.verify(signer.publicKey, message, signature.subarray(1))).toBe(false);
  expect(nodeCrypto.verify(new Uint8Array(32).fill(255), message, signature)).toBe(false);
});

test("a signing key survives its PEM; its id is of sixteen hex characters", () => {
  const { signer, pkcs8 } = newSigningKey();
  const loaded = loadSigner(pkcs8);
  expect(loaded.publicKey).toEqual(signer.publicKey);
  expect(nodeCrypto.verify(signer.publicKey, utf8("m"), loaded.sign(utf8("m")))).toBe(true);
  expect(keyIdOf(signer.publicKey)).toMatch(/^[0-9a-f]{16}$/);
  expect(() => loadSigner("rubbish")).toThrow(/PKCS#8/);
});

test("random floats stay in [0, 1)", () => {
  for (let round = 0; round < 1000; round++) {
    const value = nodeRandom.float();
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThan(1);
  }
  expect(nodeRandom.bytes(16)).toHaveLength(16);
});

test("the key store keeps files private and whole", () => {
  const directory = join(mkdtempSync(join(tmpdir(), "hansa-keys-")), "keys");
  const store = openKeyStore(directory);
  expect(store.read("log.pem")).toBeUndefined();
  expect(store.ensure("log.pem", () => "one")).toBe("one");
  expect(store.ensure("log.pem", () => "two")).toBe("one");
  store.write("log.pem", "three");
  expect(store.read("log.pem")).toBe("three");
  expect(statSync(join(directory, "log.pem")).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(readdirSync(directory)).toEqual(["log.pem"]);
});

test("the key store refuses a key that others may read", () => {
  const directory = mkdtempSync(join(tmpdir(), "hansa-keys-"));
  const store = openKeyStore(directory);
  writeFileSync(join(directory, "ca.pem"), "x");
  chmodSync(join(directory, "ca.pem"), 0o640);
  expect(() => store.read("ca.pem")).toThrow(/others may read/);
  expect(() => store.read("../ca.pem")).toThrow(/key name/);
});
