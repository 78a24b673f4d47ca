/** gRPC status codes that this server gives, and how one travels: trailers `grpc-status` and `grpc-message`. */
import { utf8 } from "@hansa/core";

export const STATUS = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export interface Status {
  readonly code: (typeof STATUS)[keyof typeof STATUS];
  readonly message: string;
}

export type StatusTrailers = Readonly<Record<"grpc-status" | "grpc-message", string>>;

export const statusTrailers = ({ code, message }: Status): StatusTrailers => ({
  "grpc-status": String(code),
  "grpc-message": percentEncode(message),
});

/** gRPC over HTTP/2, "Responses": everything but printable ASCII, and "%" itself, as %XX of its UTF-8 bytes. */
export function percentEncode(text: string): string {
  let encoded = "";
  for (const byte of utf8(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
