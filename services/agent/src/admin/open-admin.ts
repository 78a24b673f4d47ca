/** Opens an agent's admin API with a certificate of its own and renews it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { HansaError, hex } from "@hansa/core";
import type { KeyStore } from "@hansa/identity";
import type { MetricsRegistry } from "@hansa/telemetry";
import { adminAuthority } from "../identity/keys.ts";
import type { AgentView } from "./agent-view.ts";
import { hashToken, type TokenEntry } from "./auth.ts";
import { agentRoutes } from "./routes-agent.ts";
import { meshRoutes } from "./routes-mesh.ts";
import { pathRoutes } from "./routes-paths.ts";
import { adminServer } from "./server.ts";

const RENEW_CHECK_MS = 3_600_000;

/** Answers what ends it. Throws HSA1012 where the address is taken. */
export async function openAdmin(
  agent: AgentView,
  store: KeyStore,
  metrics: MetricsRegistry,
): Promise<(() => void | Promise<void>)[]> {
  const { admin, dataDir } = agent.config;
  const authority = adminAuthority(store, agent.cluster, agent.ports);
  writeFileSync(join(dataDir, "admin-ca.pem"), authority.certPem, { mode: 0o644 });
  const names = [...new Set([admin.host, "localhost"])];
  const issue = () => {
    const { certPem, keyPem } = authority.issueServer(names);
    return { cert: certPem, key: keyPem };
  };
  const { app, setTls } = adminServer({
    tls: issue(),
    tokens: tokensOf(agent, store),
    routes: [...agentRoutes(agent), ...meshRoutes(agent), ...pathRoutes(agent)],
    log: agent.ports.log,
    metrics,
  });
  // Certificates last 30 days; a new one each day costs nothing and never runs out.
  let sinceRenewalMs = 0;
  const renewal = agent.ports.timers.every(RENEW_CHECK_MS, () => {
    sinceRenewalMs += RENEW_CHECK_MS;
    if (sinceRenewalMs < 24 * RENEW_CHECK_MS) return;
    sinceRenewalMs = 0;
    setTls(issue());
  });
  try {
    await app.listen({ host: admin.host, port: admin.port });
  } catch (error) {
    throw new HansaError(
      "HSA1012",
      `admin: cannot listen on ${admin.host}:${admin.port}: ${(error as Error).message}`,
    );
  }
  return [
    () => renewal.cancel(),
    async () => {
      await app.close();
    },
  ];
}

/** Beside the configured tokens there is one for whoever may read the agent's folder, and so its keys. */
function tokensOf({ config, ports }: AgentView, store: KeyStore): readonly TokenEntry[] {
  const { tokens } = config.admin;
  const secret = store.ensure("admin.token", () => hex(ports.random.bytes(32)));
  return [...tokens, { name: "local", role: "admin", sha256: hashToken(secret.trim()) }];
}
