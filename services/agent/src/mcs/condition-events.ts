/** Which changes of an object's conditions are worth a Kubernetes Event: trouble, and its end. Pure. */
import type { ConditionObject } from "../source/kube/objects.ts";

export interface ConditionEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Events of the step from `before` to `after`. What has gone well from the start has none. */
export function conditionEvents(
  before: readonly ConditionObject[],
  after: readonly ConditionObject[],
): ConditionEvent[] {
  const isInvalid = after.some(({ type, status }) => type === "Valid" && status === "False");
  return after.flatMap((now): ConditionEvent[] => {
    const { type, status, reason, message } = now;
    const last = before.find((each) => each.type === type);
    const wasTrouble = last !== undefined && isTrouble(last);
    if (isTrouble(now)) {
      // An export that is not valid is not ready for that reason alone.
      const isTold = (wasTrouble && last.reason === reason) || (isInvalid && type === "Ready");
      return isTold ? [] : [{ type: "Warning", reason, message }];
    }
    if (!wasTrouble || isUndecided(now)) return [];
    return [{ type: "Normal", reason, message: message === "" ? `${type} is ${status} again` : message }];
  });
}

const isTrouble = (condition: ConditionObject): boolean =>
  condition.status === (condition.type === "Conflict" ? "True" : "False") && !isUndecided(condition);

const isUndecided = ({ status, reason }: ConditionObject): boolean =>
  status === "Unknown" || reason === "Pending";
