/** From a stored event to the contract's. */

import type { EventSpec, EventType, HttpRequestSpec } from "../generated/types.js";
import * as validators from "../generated/validators.js";
import { check } from "../validation.js";
import { actionOf } from "./actions.js";
import { Mapping, type MappingOptions, type Note } from "./mapping.js";
import type { Id, StoredEvent, StoredPair, StoredToolAction } from "./rows.js";
import { targetOf } from "./servers.js";

/** An event, and what a person should know of how it came about. */
export interface MappedEvent {
  event: EventSpec;
  notes: Note[];
}

/**
 * Makes an event of the contract from the app's row.
 *
 * @throws {PayloadValidationError} naming the column, or the field of the event.
 */
export function fromStoredEvent(row: StoredEvent, options: MappingOptions = {}): MappedEvent {
  const mapping = new Mapping(options);
  const event = eventOf(row, mapping, []);
  return { event: check(validators.EventSpec, event), notes: mapping.notes };
}

/** The languages, by the app's words. */
export const TYPES: Record<string, EventType> = {
  BASH: "bash",
  PYTHON: "python",
  NODEJS: "nodejs",
};

/** @param above Ids of the events whose actions lead here. */
export function eventOf(row: StoredEvent, mapping: Mapping, above: Id[]): EventSpec {
  const targets = serverIds(row).map((id) => targetOf(id, mapping));
  const actions = (row.conditionalActions ?? []).flatMap(
    (action, index) =>
      actionOf(action, `conditionalActions[${index}]`, mapping, [...above, row.id]) ?? [],
  );
  const pairs = (row.envVars ?? []).map(({ key, value }): [string, string] => [key, value]);
  return {
    id: String(row.id),
    name: row.name,
    ...workOf(row, mapping),
    env: mapping.env(pairs, row.id),
    timeoutSeconds: mapping.seconds("timeoutValue", row.timeoutValue, row.timeoutUnit),
    retries: row.retries ?? 0,
    tags: row.tags ?? [],
    ...(targets.length ? { targets } : {}),
    ...(actions.length ? { actions } : {}),
  };
}

function workOf(row: StoredEvent, mapping: Mapping): Pick<EventSpec, "type" | "script" | "http"> {
  const type = TYPES[row.type];
  if (type) {
    if (!row.content?.trim()) mapping.refuse("content", "a script is required, but missing");
    return { type, script: row.content };
  }
  if (row.type === "HTTP_REQUEST") {
    const { httpMethod: method, httpUrl: url, httpHeaders: headers, httpBody: body } = row;
    if (!url) mapping.refuse("httpUrl", "required, but missing");
    const pairs = mapping.parsed<StoredPair[] | Record<string, string>>("httpHeaders", headers);
    return { type: "http_request", http: httpOf({ method, url, headers: pairs, body }, mapping) };
  }
  if (row.type === "TOOL_ACTION") {
    const config = mapping.parsed<StoredToolAction>("toolActionConfig", row.toolActionConfig);
    if (!config) return mapping.refuse("toolActionConfig", "required, but missing");
    return toolOf(config, mapping);
  }
  return mapping.refuse("type", "expected NODEJS, PYTHON, BASH, HTTP_REQUEST or TOOL_ACTION");
}

const WITH_BODY = new Set(["POST", "PUT", "PATCH", "DELETE"]);

interface StoredRequest {
  method?: string | null | undefined;
  url: string;
  headers?: StoredPair[] | Record<string, string> | undefined;
  body?: string | null | undefined;
}

/** A request; headers are stored as a list of `{key, value}`, and in old rows as a map. */
export function httpOf(stored: StoredRequest, mapping: Mapping): HttpRequestSpec {
  const method = (stored.method ?? "GET").toUpperCase();
  const pairs = Array.isArray(stored.headers)
    ? stored.headers.map(({ key, value }): [string, string] => [key, value])
    : Object.entries(stored.headers ?? {});
  const named = pairs.filter(([name]) => name.trim());
  if (named.length < pairs.length) mapping.note("httpHeaders", "a header without a name is left out");
  const hasBody = Boolean(stored.body) && WITH_BODY.has(method);
  if (stored.body && !hasBody) mapping.note("httpBody", `${method} has no body: it is left out`);
  return {
    method: method as HttpRequestSpec["method"],
    url: stored.url,
    headers: named.map(([name, value]) => ({ name: name.trim(), value })),
    ...(hasBody ? { body: { kind: "text", text: stored.body! } } : {}),
  };
}

/** A tool action is a script of one call; the operator sets the tool up (`notify.…`). */
export function toolOf(
  { toolType, actionId, parameters, config }: StoredToolAction,
  mapping: Mapping,
): Pick<EventSpec, "type" | "script"> {
  if (!toolType) mapping.refuse("toolActionConfig.toolType", "required, but missing");
  mapping.note("toolActionConfig", `the operator must set up the tool ${toolType} (notify.…)`);
  // A text of JSON in JSON is a text of Python as well.
  const call = [toolType.toLowerCase(), actionId ?? "send"].map((word) => JSON.stringify(word));
  const data = JSON.stringify(JSON.stringify(parameters ?? config ?? {}));
  const script =
    "import json\n\n" +
    `config = json.loads(${data})\n` +
    `cronium.output(cronium.execute_tool_action(${call.join(", ")}, config))\n`;
  return { type: "python", script };
}

function serverIds(row: StoredEvent): Id[] {
  if (row.runLocation !== "REMOTE") return [];
  const several = row.selectedServerIds ?? [];
  if (several.length) return several;
  return row.serverId == null ? [] : [row.serverId];
}
