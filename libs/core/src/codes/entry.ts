/** One code: what it means, what to do about it, and the exit and HTTP status that go with it. */
export interface CodeEntry {
  readonly name: string;
  readonly meaning: string;
  readonly todo: string;
  readonly exit: number;
  readonly http: number;
}

export const entry = (
  name: string,
  exit: number,
  http: number,
  meaning: string,
  todo: string,
): CodeEntry => ({
  name,
  meaning,
  todo,
  exit,
  http,
});
