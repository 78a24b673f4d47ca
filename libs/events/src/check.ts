/**
 * Small validators for values that come from outside. A check returns the value rebuilt from known fields only (so
 * unknown fields are ignored) or throws `BadValue`, which never leaves the decoders of this package.
 */

export class BadValue extends Error {
  path: string;

  constructor(message: string) {
    super(message);
    this.name = "BadValue";
    this.path = "";
  }

  get place(): string {
    return `${this.path === "" ? "value" : this.path}: ${this.message}`;
  }
}

export type Check<T> = (value: unknown) => T;

export const bad = (message: string): never => {
  throw new BadValue(message);
};

/** Runs `check` and prefixes the place of a failure. Paths are built only when something is wrong. */
export function at<T>(place: string, check: Check<T>, value: unknown): T {
  try {
    return check(value);
  } catch (error) {
    if (error instanceof BadValue) {
      const joint = error.path === "" || error.path.startsWith("[") ? "" : ".";
      error.path = `${place}${joint}${error.path}`;
    }
    throw error;
  }
}

export const text =
  (lengthMax: number): Check<string> =>
  (value) =>
    typeof value === "string" && value.length <= lengthMax
      ? value
      : bad(`must be a string of at most ${lengthMax} characters`);

/** A string that satisfies `holds`; `what` names it in the message. */
export const textLike =
  (what: string, lengthMax: number, holds: (text: string) => boolean): Check<string> =>
  (value) =>
    typeof value === "string" && value.length <= lengthMax && holds(value) ? value : bad(`must be ${what}`);

export const integer =
  (min: number, max: number): Check<number> =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : bad(`must be an integer in ${min}..${max}`);

export const finite =
  (min: number, max: number): Check<number> =>
  (value) =>
    typeof value === "number" && value >= min && value <= max
      ? value
      : bad(`must be a number in ${min}..${max}`);

export const flag: Check<boolean> = (value) =>
  typeof value === "boolean" ? value : bad("must be true or false");

export const oneOf =
  <T extends string | number>(...choices: readonly T[]): Check<T> =>
  (value) =>
    choices.includes(value as T) ? (value as T) : bad(`must be one of ${choices.join(", ")}`);

export const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value) =>
    value === null ? null : check(value);

/** For optional fields: what is absent stays absent. */
export const orAbsent =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value) =>
    value === undefined ? undefined : check(value);

export const listOf =
  <T>(check: Check<T>, countMax: number): Check<T[]> =>
  (value) => {
    if (!Array.isArray(value) || value.length > countMax) return bad(`must be a list of at most ${countMax}`);
    return value.map((item, index) => at(`[${index}]`, check, item));
  };

export const mapOf =
  <T>(key: Check<string>, check: Check<T>, countMax: number): Check<Record<string, T>> =>
  (value) => {
    const members = asObject(value);
    const names = Object.keys(members);
    if (names.length > countMax) return bad(`must have at most ${countMax} members`);
    return Object.fromEntries(names.map((name) => [key(name), at(name, check, members[name])]));
  };

export const object = <T extends object>(
  fields: { readonly [Name in keyof T]-?: Check<T[Name]> },
): Check<T> => {
  // In order, so that the canonical JSON of what is built needs no sorting.
  const names = Object.keys(fields).sort() as (keyof T & string)[];
  return (value) => {
    const members = asObject(value);
    const built: Partial<T> = {};
    for (const name of names) {
      const value = at(name, fields[name], members[name]);
      if (value !== undefined) built[name] = value;
    }
    return built as T;
  };
};

export function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return bad("must be an object");
  return value as Record<string, unknown>;
}
