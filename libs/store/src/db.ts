/**
 * Connections and transactions. Owns the pool; the only file that creates clients. Every failure of the connection
 * itself becomes HSA2011, so that callers tell "Postgres is away" from "the statement is wrong".
 */
import { HansaError } from "@hansa/core";
import pg from "pg";
import { copyIn } from "./copy.ts";

export interface Queryable {
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** Inside a transaction. */
export interface Tx extends Queryable {
  /** As `query`, planned once per connection: for the few texts that every commit repeats. */
  prepared<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]>;
  /** `text` is a COPY … FROM STDIN (FORMAT binary), `rows` what `CopyRows` made. */
  copy(text: string, rows: Uint8Array): Promise<void>;
}

export interface Db extends Queryable {
  readonly pool: pg.Pool;
  withClient<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result>;
  /** Commits what `work` did, or rolls it all back and rethrows. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** A connection of its own, for session locks and LISTEN. The caller ends it. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

const INT8 = 20;

/** int8 as number: positions and sequences stay far below 2^53. */
const types = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8 && format !== "binary"
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

const CONNECTION_STATES = /^(08|57P0|53300|25006)/;

const unreachable = (error: unknown): HansaError =>
  new HansaError("HSA2011", `Postgres: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });

/** HSA2011 for a lost or refused connection, the error itself otherwise. */
export function databaseError(error: unknown): unknown {
  if (error instanceof HansaError || !(error instanceof Error)) return error;
  // drizzle wraps what the driver said.
  if (error.cause instanceof Error) return databaseError(error.cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const away =
    CONNECTION_STATES.test(code) ||
    /^(ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|ENOENT|EAI_)/.test(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable/.test(
      error.message,
    );
  return away ? unreachable(error) : error;
}

/** What was planned before a migration changed its columns fails for ever on this connection; another plans it anew. */
const isStalePlan = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && error.code === "0A000";

const over = (client: pg.ClientBase): Tx => ({
  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await client.query<Row>(text, values as unknown[])).rows;
  },
  async prepared<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return (await client.query<Row>({ name: nameOf(text), text, values: values as unknown[] })).rows;
  },
  copy: (text, rows) => copyIn(client, text, rows),
});

const names = new Map<string, string>();

/** The texts are constants of this package, so there are few. */
function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `hansa_${names.size}`;
  names.set(text, name);
  return name;
}

export interface DbOptions {
  readonly url: string;
  readonly connectionsMax?: number;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  /** Errors of idle connections; the pool replaces them by itself. */
  readonly onIdleError?: (error: Error) => void;
}

export function openDb(options: DbOptions): Db {
  const config: pg.PoolConfig = {
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    application_name: "hansa-hub",
    types,
  };
  const pool = new pg.Pool({ ...config, max: options.connectionsMax ?? 10 });
  pool.on("error", (error) => options.onIdleError?.(error));

  /** Runs on a pooled connection; a broken one is thrown away. No connection at all is always HSA2011. */
  async function withClient<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await pool.connect().catch((error: unknown) => {
      throw unreachable(error);
    });
    let broken: Error | undefined;
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on("error", onError);
    try {
      return await work(client);
    } catch (error) {
      const known = databaseError(error);
      if (known instanceof HansaError && known.code === "HSA2011") broken ??= known;
      if (isStalePlan(error)) broken ??= error;
      throw known;
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }

  return {
    pool,
    withClient,
    query: (text, values) => withClient((client) => over(client).query(text, values)),
    transaction: (work) =>
      withClient(async (client) => {
        await client.query("begin");
        try {
          const result = await work(over(client));
          await client.query("commit");
          return result;
        } catch (error) {
          await client.query("rollback");
          throw error;
        }
      }),
    async connect(): Promise<pg.Client> {
      const client = new pg.Client({ ...config, statement_timeout: 0, keepAlive: true });
      try {
        await client.connect();
      } catch (error) {
        throw unreachable(error);
      }
      return client;
    },
    close: () => pool.end(),
  };
}
