/** The servers that events may run on: an app would keep them in its database. */

import "server-only";
import { readFileSync } from "node:fs";
import type { ServerSpec } from "@cronium/client";

/** Reads `servers.json`, or the file in CRONIUM_SERVERS_FILE; without one there are none. */
export function knownServers(): ServerSpec[] {
  try {
    const file = process.env.CRONIUM_SERVERS_FILE || "servers.json";
    return JSON.parse(readFileSync(file, "utf8")) as ServerSpec[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
