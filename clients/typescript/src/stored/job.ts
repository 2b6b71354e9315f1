/** From a stored job, with its payload, to a whole request. */

import type { EventRequest, EventSpec } from "../generated/types.js";
import * as validators from "../generated/validators.js";
import { check } from "../validation.js";
import { TYPES, httpOf, toolOf } from "./event.js";
import { Mapping, type MappingOptions, type Note } from "./mapping.js";
import type { StoredJob, StoredPayload } from "./rows.js";
import { targetOf } from "./servers.js";

/** A request, and what a person should know of how it came about. */
export interface MappedJob {
  request: EventRequest;
  notes: Note[];
}

/**
 * Makes a request of a stored job. The job's id becomes the execution id, so that a job
 * that is handed over twice runs once.
 *
 * @throws {PayloadValidationError} naming the field of the payload, or of the request.
 */
export function fromStoredJob(job: StoredJob, options: MappingOptions = {}): MappedJob {
  const mapping = new Mapping(options);
  const payload = mapping.parsed<StoredPayload>("payload", job.payload);
  if (!payload) return mapping.refuse("payload", "required, but missing");
  const metadata =
    mapping.parsed<{ eventName?: string; triggeredBy?: string }>("metadata", job.metadata) ?? {};
  const request: EventRequest = {
    executionId: job.id,
    event: eventOf(job, payload, metadata.eventName, mapping),
    input: payload.input ?? null,
    trigger: TRIGGERS[metadata.triggeredBy ?? "manual"] ?? "manual",
    ...(job.userId ? { user: job.userId } : {}),
    priority: PRIORITIES[job.priority ?? 1] ?? 3,
  };
  return { request: check(validators.EventRequest, request), notes: mapping.notes };
}

const TRIGGERS: Record<string, EventRequest["trigger"]> = {
  manual: "manual",
  schedule: "schedule",
  workflow: "workflow",
};
// The app counts upwards from LOW; the executor's 1 is first.
const PRIORITIES: Record<number, number> = { 0: 5, 1: 3, 2: 2, 3: 1 };

function eventOf(
  job: StoredJob,
  payload: StoredPayload,
  name: string | undefined,
  mapping: Mapping,
): EventSpec {
  const { target = {}, timeout } = payload;
  if (target.containerImage)
    mapping.note("payload.target.containerImage", "left out: the operator's runner image is used");
  return {
    id: String(job.eventId),
    name: name || `Event ${job.eventId}`,
    ...workOf(payload, mapping),
    env: mapping.env(Object.entries(payload.environment ?? {}), job.eventId),
    timeoutSeconds: mapping.seconds("payload.timeout", timeout?.value, timeout?.unit),
    retries: payload.retries ?? 0,
    ...(target.serverId == null ? {} : { targets: [targetOf(target.serverId, mapping)] }),
  };
}

function workOf(
  { script, httpRequest, toolAction }: StoredPayload,
  mapping: Mapping,
): Pick<EventSpec, "type" | "script" | "http"> {
  if (script) {
    const type = TYPES[script.type];
    if (!type) return mapping.refuse("payload.script.type", "expected NODEJS, PYTHON or BASH");
    return { type, script: script.content };
  }
  if (httpRequest) return { type: "http_request", http: httpOf(httpRequest, mapping) };
  if (toolAction) return toolOf(toolAction, mapping);
  return mapping.refuse("payload", "expected script, httpRequest or toolAction");
}
