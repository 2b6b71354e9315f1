/** From a stored server to a target; its credentials stay behind and are named. */

import type { ServerSpec } from "../generated/types.js";
import { type Mapping, wordOf } from "./mapping.js";
import type { Id } from "./rows.js";

export function targetOf(id: Id, mapping: Mapping): ServerSpec {
  const server = mapping.options.servers?.(id);
  if (!server) return mapping.refuse("serverId", `there is no server ${id}`);
  const nameOf =
    mapping.options.serverSecret ?? ((row, kind) => `SERVER_${wordOf(row.id)}_${kind}`);
  const { sshKey, password } = server;
  if (!sshKey && !password) mapping.refuse("servers", `server ${id} has no credentials`);
  const hostKeys = mapping.options.hostKeys?.(server) ?? [];
  if (!hostKeys.length)
    mapping.note("servers", `the worker's known_hosts must have the key of ${server.address}`);
  return {
    id: String(server.id),
    name: server.name,
    address: server.address,
    port: server.port ?? 22,
    username: server.username || "root",
    credentials: {
      ...(sshKey ? { key: { secret: nameOf(server, "KEY") } } : {}),
      ...(password ? { password: { secret: nameOf(server, "PASSWORD") } } : {}),
    },
    ...(hostKeys.length ? { hostKeys } : {}),
  };
}
