/**
 * Names as they stand on the wire, one character a byte: each label behind its length, the root's zero last. Nothing is
 * escaped and a dot inside a label stays a byte of that label, so no two names fall together (RFC 4343 §2.1).
 */
import { assert } from "@hansa/core";

export type WireName = string;

export const ROOT: WireName = "\0";
export const LABEL_BYTES_MAX = 63;
export const NAME_BYTES_MAX = 255;

/** `labels` are ASCII and within 63 bytes: what Kubernetes and Hansa name by. */
export const under = (suffix: WireName, ...labels: readonly string[]): WireName =>
  labels.map(encoded).join("") + suffix;

function encoded(label: string): string {
  assert(label.length > 0 && label.length <= LABEL_BYTES_MAX, "a label has 1 to 63 bytes");
  return String.fromCharCode(label.length) + label;
}

/** `web.shop.svc.clusterset.local`, with or without a last dot. For constants and tests: escapes are not read. */
export const wireName = (text: string): WireName =>
  under(ROOT, ...text.split(".").filter((label) => label !== ""));

/** For people and for encoders that take dotted names: only for names of ASCII labels without dots. */
export const dotted = (name: WireName): string => labelsOf(name).join(".");

export function labelsOf(name: WireName): string[] {
  const labels: string[] = [];
  for (let at = 0; ; ) {
    const length = name.charCodeAt(at);
    if (length === 0 || Number.isNaN(length)) return labels;
    labels.push(name.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
}
