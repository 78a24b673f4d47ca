/** Clients of the tests: plain HTTP/1.1, h2 and TCP towards a sidecar's outbound listeners. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type IncomingHttpHeaders as Http2Headers,
} from "node:http2";
import { connect as connectTcp } from "node:net";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
  readonly body?: string;
}

export const keepAlive = (): Agent => new Agent({ keepAlive: true, maxSockets: 8 });

export const call = (
  address: string,
  port: number,
  host: string,
  options: CallOptions = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: address,
        port,
        method: options.method ?? "GET",
        path: options.path ?? "/",
        headers: { host, ...options.headers },
        ...(options.agent === undefined ? {} : { agent: options.agent }),
        timeout: 20_000,
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString(),
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer within 20 s")));
    outgoing.end(options.body);
  });

export interface GrpcAnswer {
  readonly status: number;
  readonly grpcStatus: string | undefined;
  readonly headers: Http2Headers;
  readonly body: string;
}

export const h2 = (address: string, port: number): ClientHttp2Session => {
  const session = connectHttp2(`http://${address}:${port}`);
  session.on("error", () => {});
  return session;
};

export const grpcCall = (session: ClientHttp2Session, authority: string): Promise<GrpcAnswer> =>
  new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.Quote/Get",
      ":authority": authority,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let headers: Http2Headers = {};
    let trailers: Http2Headers = {};
    const parts: Buffer[] = [];
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("end", () =>
      resolve({
        status: Number(headers[":status"]),
        grpcStatus: (trailers["grpc-status"] ?? headers["grpc-status"]) as string | undefined,
        headers,
        body: Buffer.concat(parts).toString(),
      }),
    );
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });

/** One line there and back; "" where the connection was closed without an answer. */
export const tcpLine = (address: string, port: number, line: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connectTcp(port, address);
    let answer = "";
    const done = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(5_000, done);
    socket.on("connect", () => socket.write(line));
    socket.on("data", (bytes) => {
      answer += bytes.toString();
      done();
    });
    socket.on("error", done);
    socket.on("close", done);
  });
