/** What a mapping from the app's rows needs to know, and what it has to say. */

import { PayloadValidationError, type Problem } from "../errors.js";
import type { EnvVar } from "../generated/types.js";
import type { Id, Jsonish, StoredEvent, StoredServer, TimeUnit } from "./rows.js";

/** Where the app's rows come from, and how its secrets are called on the worker. */
export interface MappingOptions {
  /** Looks an event up: targets of actions, nodes of workflows. */
  events?: (id: Id) => StoredEvent | undefined;
  /** Looks a server up. */
  servers?: (id: Id) => StoredServer | undefined;
  /**
   * What becomes of a stored variable, whose value is encrypted; unset: a secret with the
   * name `EVENT_<event>_<KEY>`. Give `{ value }` for what is no secret, once decrypted.
   */
  env?: (key: string, stored: string, event: Id) => { secret: string } | { value: string };
  /** The secret with a server's key or password; unset: `SERVER_<id>_KEY`, `…_PASSWORD`. */
  serverSecret?: (server: StoredServer, kind: "KEY" | "PASSWORD") => string;
  /** Pinned keys of a server; unset: the worker's known_hosts decides. */
  hostKeys?: (server: StoredServer) => string[];
  /** The secret with the Apprise URL of a tool; unset: `TOOL_<id>`. */
  toolSecret?: (tool: Id) => string;
}

/** Something that a person should look at; the mapping itself went well. */
export type Note = Problem;

const SECONDS: Record<TimeUnit, number> = { SECONDS: 1, MINUTES: 60, HOURS: 3600, DAYS: 86_400 };
// Of the database. The app's own form said minutes: a unit that is missing is said so.
const DEFAULT_TIMEOUT = 30;

/** One mapping: where it is in the row, what it has noted, what it may look up. */
export class Mapping {
  readonly notes: Note[] = [];

  constructor(readonly options: MappingOptions) {}

  note(path: string, message: string): void {
    this.notes.push({ path, message });
  }

  /** Stops: the row cannot become a request. */
  refuse(path: string, message: string): never {
    throw new PayloadValidationError([{ path, message }], {
      hint: "Correct the stored row that is named.",
    });
  }

  /** A value that may be stored as a text of JSON. */
  parsed<T>(path: string, value: Jsonish<T> | undefined): T | undefined {
    if (typeof value !== "string") return value ?? undefined;
    if (value === "") return undefined;
    try {
      return JSON.parse(value) as T;
    } catch {
      return this.refuse(path, "expected JSON");
    }
  }

  /** A timeout in seconds. */
  seconds(path: string, value?: number | null, unit?: TimeUnit | null): number {
    if (value == null) {
      this.note(path, `no timeout is stored: ${DEFAULT_TIMEOUT} seconds, as in the database`);
      return DEFAULT_TIMEOUT;
    }
    if (unit == null) this.note(path, "no unit is stored: seconds are meant");
    const factor = SECONDS[unit ?? "SECONDS"];
    if (!factor) this.refuse(path, `expected a unit of ${Object.keys(SECONDS).join(", ")}`);
    return value * factor;
  }

  /** Variables: what is encrypted in the database is named, and resolved on the worker. */
  env(pairs: [string, string][], event: Id): EnvVar[] {
    const choose =
      this.options.env ?? ((key: string) => ({ secret: `EVENT_${wordOf(event)}_${wordOf(key)}` }));
    return pairs.map(([key, stored]) => ({ name: key, ...choose(key, stored, event) }));
  }
}

/** Text as a part of a secret's name. */
export function wordOf(value: Id): string {
  return String(value).replace(/[^A-Za-z0-9_]/g, "_");
}
