/** `hansa lab creds`: an SVID, its key and the members' bundles as files, for a tool that stands outside the mesh. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { agentOf } from "../shell/context.ts";
import type { Action } from "../shell/program.ts";

interface Issued {
  readonly spiffeId: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
  /** Trust domain → PEM. */
  readonly bundles: Readonly<Record<string, string>>;
}

export const credsAction: Action = async (shell, [account = ""], options) => {
  const [cluster = "", namespace, serviceAccount, ...rest] = account.split("/");
  if (!serviceAccount || rest.length > 0)
    throw new HansaError("HSA1001", `${account}: must be CLUSTER/NS/SA, e.g. eu/shop/web`);
  if (options.out === undefined)
    throw new HansaError("HSA1001", "--out DIR is needed: a private key is never printed");
  const issued = (await callApi(agentOf(shell.context(), cluster), {
    method: "POST",
    path: "/v1/svid",
    body: { namespace, serviceAccount },
  })) as Issued;
  const folder = String(options.out);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files: Record<string, string> = { "svid.pem": issued.certPem, "key.pem": issued.keyPem };
  for (const [trustDomain, pem] of Object.entries(issued.bundles)) files[`bundle.${trustDomain}.pem`] = pem;
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content, { mode: 0o600 });
  const listed = Object.keys(files);
  return {
    kind: "Credentials",
    data: { spiffeId: issued.spiffeId, folder, files: listed, notAfterMs: issued.notAfterMs },
    text: () => `${issued.spiffeId}\n${listed.map((name) => `  ${join(folder, name)}`).join("\n")}`,
  };
};
