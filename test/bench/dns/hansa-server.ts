/** The agent's DNS server over the benchmark's services, in a process of its own: `hansa-server.ts PORT`. */
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { TestIndex } from "../../../services/agent/src/dns/dns.fixture.ts";
import { DnsServer } from "../../../services/agent/src/dns/server.ts";
import { services } from "./world.ts";

const server = await DnsServer.start({
  listen: [{ host: "127.0.0.1", port: Number(process.argv[2]) }],
  index: new TestIndex(...services),
  ports: { clock: systemClock, timers: systemTimers, random: nodeRandom, log: silentLog, metrics: noMetrics },
});
process.on("SIGTERM", () => void server.close().then(() => process.exit(0)));
