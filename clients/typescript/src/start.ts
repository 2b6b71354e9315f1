/** Starts workflows so that asking twice runs once. */

import { WorkflowExecutionAlreadyStartedError, type WorkflowStartOptions } from "@temporalio/client";
import type { Temporal } from "./connection.js";
import { PayloadValidationError } from "./errors.js";
import { EVENT_WORKFLOW, MAX_REQUEST_BYTES } from "./generated/names.js";
import type { EventRequest } from "./generated/types.js";
import { eventWorkflowId } from "./names.js";

interface Place {
  taskQueue: string;
  logsUrl: string | undefined;
}

/** Starts one execution of an event; returns its workflow id. */
export async function start(
  temporal: Temporal,
  request: EventRequest,
  place: Place,
): Promise<string> {
  const workflowId = eventWorkflowId(request.event.id, request.executionId);
  await startOnce(temporal, EVENT_WORKFLOW, request, {
    workflowId,
    taskQueue: place.taskQueue,
    staticSummary: request.event.name,
    ...(place.logsUrl ? { staticDetails: logLink(place.logsUrl, request.executionId) } : {}),
    ...(request.priority ? { priority: { priorityKey: request.priority } } : {}),
  });
  return workflowId;
}

/**
 * Starts a workflow unless it runs or has run: an execution id is used once, so that a
 * double click, or a call that is repeated after a lost answer, starts nothing twice.
 */
export async function startOnce(
  temporal: Temporal,
  type: string,
  request: object,
  options: Omit<WorkflowStartOptions, "args">,
): Promise<void> {
  const size = Buffer.byteLength(JSON.stringify(request));
  if (size > MAX_REQUEST_BYTES) {
    const message = `${size} bytes as JSON, at most ${MAX_REQUEST_BYTES} are allowed`;
    throw new PayloadValidationError([{ path: "", message }]);
  }
  await temporal.call(async (client) => {
    try {
      await client.workflow.start(type, {
        ...options,
        args: [request],
        workflowIdReusePolicy: "REJECT_DUPLICATE",
        workflowIdConflictPolicy: "USE_EXISTING",
      });
    } catch (error) {
      // It ran to its end before: as good as started.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  });
}

function logLink(gateway: string, executionId: string): string {
  return `[Log of this execution](${gateway}/logs/${encodeURIComponent(executionId)})`;
}
