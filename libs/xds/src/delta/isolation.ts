/**
 * Finds the resource at fault in a refused response of several. Envoy refuses a whole response, or an unknown part of
 * it, for one bad resource: without this one poisoned service would hold back all others that changed with it.
 * The halves are sent alone, one after the other, and halved again where they are refused.
 */

/** A proxy that refuses everything must not make the server send for ever. log2(5000) * 2 rounds find one of 5000. */
const RESPONSES_MAX = 64;

export class Isolation {
  private groups: string[][] = [];
  private budget = 0;
  private dueMs = 0;

  /** False = the budget is used up: the caller blames all of them. */
  split(names: readonly string[], dueMs: number): boolean {
    if (this.groups.length === 0 && this.budget === 0) this.budget = RESPONSES_MAX;
    if (this.budget < 2) {
      this.budget = 0;
      return false;
    }
    const middle = Math.ceil(names.length / 2);
    this.groups.unshift(names.slice(0, middle), names.slice(middle));
    this.dueMs = dueMs;
    return true;
  }

  /** A response was accepted: where no group waits any more the next refusal starts anew. */
  settle(): void {
    if (this.groups.length === 0) this.budget = 0;
  }

  /** When the next group may be sent; undefined = there is none. */
  get atMs(): number | undefined {
    return this.groups.length === 0 ? undefined : this.dueMs;
  }

  /** The next group that still has a parked name, without the others. */
  next(isParked: (name: string) => boolean): string[] {
    for (let group = this.groups.shift(); group !== undefined; group = this.groups.shift()) {
      const parked = group.filter(isParked);
      if (parked.length === 0) continue;
      this.budget -= 1;
      return parked;
    }
    this.budget = 0;
    return [];
  }
}
