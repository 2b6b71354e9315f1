/** The pieces that the generated validators are made of. */

import { z } from "zod";
import { MAX_JSON_DEPTH } from "./generated/names.js";

export interface TextRules {
  min?: number;
  max?: number;
  pattern?: string;
}

/** A text. Lengths count characters, not UTF-16 units, as the executor counts them. */
export function text({ min, max, pattern }: TextRules = {}): z.ZodType<string> {
  let schema = z.string();
  if (min !== undefined)
    schema = schema.refine((value) => length(value) >= min, {
      error: `expected at least ${count(min, "character")}`,
      abort: true,
    });
  if (max !== undefined)
    schema = schema.refine((value) => length(value) <= max, {
      error: (issue) =>
        `expected at most ${count(max, "character")}, this has ${length(String(issue.input))}`,
      abort: true,
    });
  if (pattern !== undefined) {
    const expression = new RegExp(pattern, "u");
    schema = schema.refine((value) => expression.test(value), {
      error: `does not match ${pattern}`,
    });
  }
  return schema;
}

/** A list of `min` to `max` things. */
export function array<T>(item: z.ZodType<T>, min: number, max?: number): z.ZodType<T[]> {
  const schema = z.array(item).refine((value) => value.length >= min, {
    error: `expected at least ${count(min, "entry", "entries")}`,
    abort: true,
  });
  if (max === undefined) return schema;
  return schema.refine((value) => value.length <= max, {
    error: (issue) => {
      const found = (issue.input as unknown[]).length;
      return `expected at most ${count(max, "entry", "entries")}, this has ${found}`;
    },
  });
}

/** A map from names to things, at most `max` of them. */
export function record<T>(
  key: z.ZodType<string>,
  value: z.ZodType<T>,
  max = Infinity,
): z.ZodType<Record<string, T>> {
  return z
    .record(key as z.ZodType<string, string>, value)
    .refine((found) => Object.keys(found).length <= max, {
      error: `expected at most ${count(max, "entry", "entries")}`,
    }) as z.ZodType<Record<string, T>>;
}

/** One of several forms, told apart by a field; `fallback` is meant when it is not there. */
export function tagged<T>(
  tag: string,
  forms: Record<string, () => z.ZodType>,
  fallback?: string,
): z.ZodType<T> {
  const known = Object.keys(forms).join(", ");
  return z.unknown().transform((value, context) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      context.addIssue({ code: "custom", message: "expected an object" });
      return z.NEVER;
    }
    const kind = (value as Record<string, unknown>)[tag] ?? fallback;
    const form = typeof kind === "string" && Object.hasOwn(forms, kind) ? forms[kind] : undefined;
    if (form === undefined) {
      context.addIssue({ code: "custom", message: `${tag}: expected one of ${known}` });
      return z.NEVER;
    }
    const parsed = form().safeParse(value);
    if (!parsed.success) context.issues.push(...(parsed.error.issues as never[]));
    return (parsed.success ? parsed.data : z.NEVER) as T;
  }) as z.ZodType<T>;
}

/** Any value that JSON can hold. */
export function json(): z.ZodType<unknown> {
  return z.unknown().superRefine((value, context) => {
    const fault = value === undefined ? undefined : firstFault(value, []);
    if (fault) context.addIssue({ code: "custom", path: fault.path, message: fault.message });
  });
}

interface Fault {
  path: (string | number)[];
  message: string;
}

function firstFault(value: unknown, path: (string | number)[]): Fault | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string")
    return isText(value) ? undefined : { path, message: "half of a character" };
  if (typeof value === "number")
    return Number.isFinite(value)
      ? undefined
      : { path, message: "NaN and Infinity are not JSON: use null or a text" };
  if (typeof value !== "object")
    return { path, message: `a ${typeof value} is not a value of JSON` };
  if (path.length >= MAX_JSON_DEPTH)
    return { path, message: `nested more than ${MAX_JSON_DEPTH} levels deep` };
  return firstFaultInside(value, path);
}

function firstFaultInside(value: object, path: (string | number)[]): Fault | undefined {
  if (!Array.isArray(value) && !isPlain(value)) {
    const kind = value.constructor?.name ?? "an object";
    return { path, message: `${kind} is not a value of JSON: make a text or a list of it` };
  }
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, inner] of entries) {
    // A field that is undefined is left out; in a list it would become null.
    if (inner === undefined && typeof key === "string") continue;
    const fault = firstFault(inner, [...path, key]);
    if (fault) return fault;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm, such as a test's sandbox, have another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype as object) === null;
}

/** Whether a text has no lone surrogates. */
function isText(value: string): boolean {
  return !/\p{Surrogate}/u.test(value);
}

function length(value: string): number {
  let found = 0;
  for (const _ of value) found += 1;
  return found;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
