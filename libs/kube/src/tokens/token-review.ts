/**
 * Whose service-account token this is, as the cluster itself says (TokenReview). Owns the reading of the answer: nothing is taken for
 * authenticated that was not issued for our audience. Remembers nothing: a deleted pod's token is refused from that moment.
 */
import type { Sender } from "../client/client.ts";
import { type Problem, problem } from "../client/problem.ts";
import { TOKEN_REVIEWS } from "../resources.ts";

/** A token that says more than any service account's is not sent on. */
export const TOKEN_CHARS_MAX = 16_384;

export interface TokenOwner {
  readonly authenticated: true;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Both are there where the token is bound to a pod (KEP-1205), else neither is. */
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
}

export type TokenVerdict =
  | TokenOwner
  /** Refused for good: `reason` is for logs, never for the bearer. */
  | { readonly authenticated: false; readonly reason: string }
  /** The API server could not be asked. */
  | { readonly authenticated: undefined; readonly problem: Problem };

export async function reviewToken(
  client: Sender,
  token: string,
  audiences: readonly [string, ...string[]],
): Promise<TokenVerdict> {
  if (token === "" || token.length > TOKEN_CHARS_MAX)
    return refused(`a token has 1 to ${TOKEN_CHARS_MAX} characters, this has ${token.length}`);
  const answer = await client.send({
    method: "POST",
    target: { resource: TOKEN_REVIEWS },
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences },
    },
  });
  return answer.ok
    ? verdictOf(answer.body, audiences)
    : { authenticated: undefined, problem: answer.problem };
}

const refused = (reason: string): TokenVerdict => ({ authenticated: false, reason });

interface ReviewStatus {
  readonly authenticated?: unknown;
  readonly error?: unknown;
  readonly audiences?: unknown;
  readonly user?: { readonly username?: unknown; readonly extra?: Readonly<Record<string, unknown>> };
}

/** `body` = the TokenReview that came back. */
export function verdictOf(body: unknown, audiences: readonly string[]): TokenVerdict {
  const status = (body as { readonly status?: ReviewStatus } | null)?.status;
  if (typeof status !== "object" || status === null)
    return {
      authenticated: undefined,
      problem: problem("unreadable", "a TokenReview came back without a status"),
    };
  if (status.authenticated !== true)
    return refused(typeof status.error === "string" ? status.error : "not authenticated");
  // An authenticator that knows no audiences accepts for every one of them and says none (TokenReview, spec.audiences).
  const accepted = Array.isArray(status.audiences) ? (status.audiences as readonly unknown[]) : [];
  if (!audiences.some((audience) => accepted.includes(audience)))
    return refused(`accepted for ${accepted.join(", ") || "no audience"}, not for ${audiences.join(", ")}`);
  return ownerOf(status.user);
}

const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$/;

function ownerOf(user: ReviewStatus["user"]): TokenVerdict {
  const username = typeof user?.username === "string" ? user.username : "";
  const [, namespace, serviceAccount] = SERVICE_ACCOUNT.exec(username) ?? [];
  if (namespace === undefined || serviceAccount === undefined)
    return refused(`${JSON.stringify(username)} is no service account`);
  const podName = single(user?.extra, "authentication.kubernetes.io/pod-name");
  const podUid = single(user?.extra, "authentication.kubernetes.io/pod-uid");
  if ((podName === undefined) !== (podUid === undefined)) return refused("its pod is named by halves");
  return { authenticated: true, namespace, serviceAccount, podName, podUid };
}

/** Extras are lists; a binding has exactly one value. */
function single(extra: Readonly<Record<string, unknown>> | undefined, name: string): string | undefined {
  const values = extra?.[name];
  return Array.isArray(values) && values.length === 1 && typeof values[0] === "string" && values[0] !== ""
    ? values[0]
    : undefined;
}
