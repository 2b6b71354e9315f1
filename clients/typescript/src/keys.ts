/** The keys of a file that `cronium keys generate` makes. */

import { readFileSync } from "node:fs";
import { z } from "zod";
import { KeyFileInvalid } from "./errors.js";
import { array, text } from "./schema.js";
import { problemsOf } from "./validation.js";

const KEY_BYTES = 32;

const KEY_FILE = z.strictObject({
  version: z.literal(1),
  active: text(),
  keys: array(
    z.strictObject({
      id: text({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" }),
      // 32 bytes as standard base64 are 43 characters and one `=`.
      key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, { error: "expected base64 of 32 bytes" }),
      created: z.string().optional(),
    }),
    1,
  ),
});

/** Keys by their ids: the active one writes, all of them read. */
export class KeyRing {
  readonly active: string;
  readonly #keys: Map<string, Uint8Array>;

  private constructor(active: string, keys: Map<string, Uint8Array>) {
    this.active = active;
    this.#keys = keys;
  }

  /**
   * Reads the JSON of a key file, as a text or as an object.
   *
   * @throws {KeyFileInvalid} naming the field; never a key.
   */
  static from(source: string | object): KeyRing {
    const file = parsed(source);
    const problems = problemsOf(KEY_FILE, file);
    if (problems.length)
      throw new KeyFileInvalid(problems.map(({ path, message }) => `${path}: ${message}`).join("; "));
    const { active, keys } = file as { active: string; keys: { id: string; key: string }[] };
    const ring = new Map(keys.map(({ id, key }) => [id, decoded(id, key)]));
    if (ring.size < keys.length) throw new KeyFileInvalid("keys: two have the same id");
    if (!ring.has(active)) throw new KeyFileInvalid("active: no key has this id");
    return new KeyRing(active, ring);
  }

  /** Reads a key file. */
  static fromFile(path: string): KeyRing {
    let content: string;
    try {
      content = readFileSync(path, "utf8");
    } catch (error) {
      throw new KeyFileInvalid("the file of keys cannot be read", { cause: error });
    }
    return KeyRing.from(content);
  }

  key(id: string): Uint8Array | undefined {
    return this.#keys.get(id);
  }
}

function parsed(source: string | object): unknown {
  if (typeof source !== "string") return source;
  try {
    return JSON.parse(source);
  } catch {
    // The parser's own words would quote the text.
    throw new KeyFileInvalid("the file of keys is not JSON");
  }
}

function decoded(id: string, key: string): Uint8Array {
  const bytes = Buffer.from(key, "base64");
  if (bytes.length !== KEY_BYTES) throw new KeyFileInvalid(`keys: ${id} has not 32 bytes`);
  return bytes;
}
