/**
 * The peer: what a service without logs and batches does. Every event is one committed INSERT into a table with the
 * columns and indexes of the archive's, over as many connections as help. No bus, no signature, no fold.
 */
import { openStore } from "@hansa/store";

const CONNECTIONS = 16;

/** Events per second. */
export async function singleInserts(url: string, seconds: number): Promise<number> {
  const store = openStore({ url, connectionsMax: CONNECTIONS });
  try {
    await store.db.query("create table bench_peer (like event including defaults)");
    await store.db.query("alter table bench_peer add primary key (position, committed_at)");
    await store.db.query("create index on bench_peer (key, position)");
    let position = 0;
    const started = performance.now();
    const deadline = started + seconds * 1000;
    const worker = async (): Promise<void> => {
      while (performance.now() < deadline) {
        position += 1;
        await store.db.query(
          `insert into bench_peer (position, committed_at, source, lane, epoch, seq, index, type, v, key, at_ms, data)
           values ($1, now(), $2, 'ep', 1, $1, 0, 'EndpointSet', 1, $3, $1, $4)`,
          [position, "A".repeat(56), `endpoint/shop/svc/${position % 4000}`, VALUE],
        );
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    return position / ((performance.now() - started) / 1000);
  } finally {
    await store.db.query("drop table if exists bench_peer");
    await store.close();
  }
}

const VALUE = JSON.stringify({
  address: "127.11.0.1",
  ports: { http: 8080 },
  ready: true,
  region: "eu-west-1",
  zone: "a",
  weight: 1,
  serviceAccount: "svc-1",
  workload: "svc-1",
});
