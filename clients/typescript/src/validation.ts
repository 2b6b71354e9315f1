/** Checks a request before it leaves: the same words, paths and rules as the executor's. */

import type { z } from "zod";
import { PayloadValidationError, type Problem } from "./errors.js";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * Returns the value if it fits.
 *
 * Rules over several fields, such as that a script belongs to an event of type `bash`, are
 * the executor's alone; it refuses with the same error.
 *
 * @throws {PayloadValidationError} naming every field that is wrong.
 */
export function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const problems = problemsOf(schema, value);
  if (problems.length) throw new PayloadValidationError(problems);
  return value as T;
}

/** Returns what is wrong with a value, in the order of the fields; never the value. */
export function problemsOf(schema: z.ZodType, value: unknown): Problem[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => problems(issue, [], value));
}

function problems(issue: Issue, above: Path, root: unknown): Problem[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: pathOf([...path, key]),
      message: "unknown field: check its spelling, and that this version has it",
    }));
  if (issue.code === "invalid_union") return ofUnion(issue, path, root);
  return [{ path: pathOf(path), message: messageOf(issue, valueAt(root, path)) }];
}

/** Of several forms, the one that was meant is the one whose type fits. */
function ofUnion(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: Path,
  root: unknown,
): Problem[] {
  const value = valueAt(root, path);
  if (value === undefined) return [{ path: pathOf(path), message: MISSING }];
  const isOtherType = (branch: Issue[]) =>
    branch.some((inner) => inner.code === "invalid_type" && inner.path.length === 0);
  const meant = issue.errors.filter((branch) => !isOtherType(branch));
  if (meant[0]) return meant[0].flatMap((inner) => problems(inner, path, root));
  const expected = issue.errors.flat().map((inner) => ("expected" in inner ? inner.expected : ""));
  const names = [...new Set(expected.filter(Boolean).map((name) => nameOf(String(name))))];
  return [{ path: pathOf(path), message: `expected ${names.join(" or ")}` }];
}

const MISSING = "required, but missing";

function messageOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      if (value === undefined) return MISSING;
      return `expected ${nameOf(issue.expected)}`;
    case "invalid_value":
      if (value === undefined) return MISSING;
      return `expected one of ${issue.values.map(String).join(", ")}`;
    case "too_big":
      return `expected at most ${issue.maximum}`;
    case "too_small":
      return `expected ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
    default:
      return issue.message;
  }
}

const NAMES: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function nameOf(type: string): string {
  return NAMES[type] ?? type;
}

/** `["env", 3, "name"]` as `env[3].name`. */
function pathOf(path: Path): string {
  let text = "";
  for (const part of path)
    text += typeof part === "number" ? `[${part}]` : `${text ? "." : ""}${String(part)}`;
  return text;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
