/** Reading members of objects that came as JSON: what has another type counts as absent. */

export type Json = Readonly<Record<string, unknown>>;

export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const member = (of: unknown, name: string): unknown =>
  isJson(of) && Object.hasOwn(of, name) ? of[name] : undefined;

export const record = (of: unknown, name: string): Json => {
  const value = member(of, name);
  return isJson(value) ? value : {};
};

export const list = (of: unknown, name: string): readonly unknown[] => {
  const value = member(of, name);
  return Array.isArray(value) ? value : [];
};

export const string = (of: unknown, name: string): string | undefined => {
  const value = member(of, name);
  return typeof value === "string" ? value : undefined;
};

export const number = (of: unknown, name: string): number | undefined => {
  const value = member(of, name);
  return typeof value === "number" ? value : undefined;
};

export const flag = (of: unknown, name: string): boolean | undefined => {
  const value = member(of, name);
  return typeof value === "boolean" ? value : undefined;
};

/** Members that are strings. */
export const strings = (of: unknown, name: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(record(of, name)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

export const stringList = (of: unknown, name: string): readonly string[] =>
  list(of, name).filter((item): item is string => typeof item === "string");
