/** Starts a lab's control planes and nodes by hand: `node test/kube/up.ts eu us ap`. Ctrl-C ends it. */
import { startKube } from "../../deploy/tools/kube/kube.ts";

const names = process.argv.slice(2);
const kube = await startKube({ clusters: names.length > 0 ? names : ["eu", "us", "ap"], nodes: {} });
process.stdout.write(`export KUBECONFIG=${kube.kubeconfig}\n`);
for (const { name, url } of kube.clusters) process.stdout.write(`# --context=${name}: ${url}\n`);

const stopped = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.resolve());
const alive = setInterval(() => {}, 1_000_000);
await stopped.promise;
clearInterval(alive);
await kube.close();
