/** A schedule in Temporal's form, as `cronium schedule` writes it as well. */

import type { ScheduleDescription, ScheduleOptions } from "@temporalio/client";
import { hoursOfChange, isZone } from "./clocks.js";
import { PayloadValidationError } from "./errors.js";
import { EVENT_WORKFLOW, GRAPH_WORKFLOW } from "./generated/names.js";
import type { EventRequest, GraphRequest, ScheduleSpec } from "./generated/types.js";
import { eventWorkflowId, graphWorkflowId } from "./names.js";

// Fields that are in the request, or are no part of what is stored.
const ELSEWHERE = new Set(["event", "workflow", "input", "user", "priority", "paused"]);
const DEFAULT_PRIORITY = 3;
const DEFAULT_CATCH_UP_SECONDS = 300;
// Minute, hour, day of the month, month, day of the week.
const FIVE_FIELDS = /^[\d*,/-]+\s+[\d*,/-]+\s+[\d*,/-]+\s+[\dA-Za-z*,/-]+\s+[\dA-Za-z*,/-]+$/;
const WITH_OFFSET = /(Z|[+-]\d\d:?\d\d)$/;

type Times = ScheduleOptions["spec"];
type Action = ScheduleOptions["action"];
type Policies = NonNullable<ScheduleOptions["policies"]>;

/**
 * The times. Runs in the hours around a change of the clock need a calendar of their own,
 * which `cronium schedule apply` writes and this client does not.
 */
export function timesOf(spec: ScheduleSpec): Times {
  const start = instantOf(spec, "startAt");
  const end = instantOf(spec, "endAt");
  return {
    ...(start ? { startAt: start } : {}),
    ...(end ? { endAt: end } : {}),
    ...(spec.jitterSeconds ? { jitter: spec.jitterSeconds * 1000 } : {}),
    ...(spec.everySeconds ? everyOf(spec.everySeconds, start) : cronOf(spec)),
  };
}

function everyOf(seconds: number, start: Date | undefined): Times {
  const every = seconds * 1000;
  return { intervals: [{ every, offset: start ? start.getTime() % every : 0 }] };
}

function cronOf({ cron = [], timezone = "UTC" }: ScheduleSpec): Times {
  if (!isZone(timezone)) refuse("timezone", "expected a time zone such as Europe/Berlin");
  const touched = timezone === "UTC" ? new Set<number>() : hoursOfChange(timezone);
  cron.forEach((text, index) => {
    if (!FIVE_FIELDS.test(text.trim())) refuse(`cron[${index}]`, "expected five fields");
    const early = hoursOf(text.trim().split(/\s+/)[1]!).find((hour) => touched.has(hour));
    if (early !== undefined)
      refuse(
        `cron[${index}]`,
        `it runs at ${early}:00 or later in that hour, when the clocks of ${timezone} may just ` +
          "change: choose another hour, or make it with `cronium schedule apply`",
      );
  });
  return { cronExpressions: cron, timezone };
}

/** The hours that a field of a cron expression names: lists, ranges and steps. */
function hoursOf(field: string): number[] {
  return field.split(",").flatMap((part) => {
    const [range = "*", step] = part.split("/");
    const [first, last] = range === "*" ? [0, 23] : range.split("-").map(Number);
    const end = last ?? (step === undefined ? first! : 23);
    const found = [];
    for (let hour = first!; hour <= end; hour += Number(step ?? 1) || 24) found.push(hour);
    return found;
  });
}

function instantOf(spec: ScheduleSpec, field: "startAt" | "endAt"): Date | undefined {
  const text = spec[field];
  if (text == null) return undefined;
  const utc = (spec.timezone ?? "UTC") === "UTC";
  if (!WITH_OFFSET.test(text) && !utc) refuse(field, "expected an offset, such as Z or +01:00");
  const found = new Date(WITH_OFFSET.test(text) ? text : `${text}Z`);
  if (Number.isNaN(found.getTime())) refuse(field, "expected a time such as 2027-01-31T06:00:00Z");
  return found;
}

/** What each run is started with: without an execution id, which the workflow makes. */
export function actionOf(spec: ScheduleSpec, taskQueue: string): Action {
  if ((spec.priority ?? DEFAULT_PRIORITY) !== DEFAULT_PRIORITY)
    refuse("priority", "schedules made here have none: make it with `cronium schedule apply`");
  const common = {
    schedule: {
      id: spec.id,
      pauseOnFailure: spec.pauseOnFailure ?? false,
      maxRuns: spec.maxRuns ?? null,
    },
    input: spec.input ?? null,
    trigger: "schedule" as const,
    user: spec.user ?? "local",
    priority: DEFAULT_PRIORITY,
  };
  const memo = Object.entries(spec).filter(([name]) => !ELSEWHERE.has(name));
  const rest = { type: "startWorkflow" as const, taskQueue, memo: { cronium: Object.fromEntries(memo) } };
  if (spec.event) {
    const request: EventRequest = { event: spec.event, ...common };
    return {
      ...rest,
      workflowType: EVENT_WORKFLOW,
      workflowId: eventWorkflowId(spec.event.id, spec.id),
      staticSummary: spec.event.name,
      args: [request],
    };
  }
  const request: GraphRequest = { workflow: spec.workflow!, ...common };
  return {
    ...rest,
    workflowType: GRAPH_WORKFLOW,
    workflowId: graphWorkflowId(spec.workflow!.id, spec.id),
    staticSummary: spec.workflow!.name,
    args: [request],
  };
}

export function policiesOf(spec: ScheduleSpec): Policies {
  const overlap = (spec.overlap ?? "skip").toUpperCase() as NonNullable<Policies["overlap"]>;
  return {
    overlap,
    catchupWindow: (spec.catchUpSeconds ?? DEFAULT_CATCH_UP_SECONDS) * 1000,
    pauseOnFailure: spec.pauseOnFailure ?? false,
  };
}

/** What was written of a schedule when it was applied. */
export function memoOf(described: ScheduleDescription): Partial<ScheduleSpec> | undefined {
  return described.action.memo?.["cronium"] as Partial<ScheduleSpec> | undefined;
}

function refuse(path: string, message: string): never {
  throw new PayloadValidationError([{ path, message }]);
}
