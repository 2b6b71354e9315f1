/** Starts workflows so that asking twice runs once. */

import { WorkflowExecutionAlreadyStartedError, type WorkflowStartOptions } from "@temporalio/client";
import type { Temporal } from "./connection.js";
import { PayloadValidationError } from "./errors.js";
import { EVENT_WORKFLOW, GRAPH_WORKFLOW, MAX_REQUEST_BYTES } from "./generated/names.js";
import type { EventRequest, GraphRequest } from "./generated/types.js";
import { eventWorkflowId, graphWorkflowId } from "./names.js";

interface Place {
  taskQueue: string;
  logsUrl: string | undefined;
}

/** Starts one execution of an event; returns its workflow id. */
export async function startEvent(
  temporal: Temporal,
  request: EventRequest & { executionId: string },
  place: Place,
): Promise<string> {
  const workflowId = eventWorkflowId(request.event.id, request.executionId);
  const name = request.event.name;
  await startOnce(temporal, EVENT_WORKFLOW, request, optionsOf(workflowId, name, request, place));
  return workflowId;
}

/** Starts one execution of a workflow; returns its workflow id. */
export async function startGraph(
  temporal: Temporal,
  request: GraphRequest & { executionId: string },
  place: Place,
): Promise<string> {
  const workflowId = graphWorkflowId(request.workflow.id, request.executionId);
  const name = request.workflow.name;
  await startOnce(temporal, GRAPH_WORKFLOW, request, optionsOf(workflowId, name, request, place));
  return workflowId;
}

type Options = Omit<WorkflowStartOptions, "args">;

function optionsOf(
  workflowId: string,
  name: string,
  { executionId, priority, user }: (EventRequest | GraphRequest) & { executionId: string },
  { taskQueue, logsUrl }: Place,
): Options {
  return {
    workflowId,
    taskQueue,
    staticSummary: name,
    ...(logsUrl ? { staticDetails: logLink(logsUrl, executionId) } : {}),
    priority: { priorityKey: priority ?? 3, ...(user ? { fairnessKey: user.slice(0, 64) } : {}) },
  };
}

/**
 * Starts a workflow unless it runs or has run: an execution id is used once, so that a
 * double click, or a call that is repeated after a lost answer, starts nothing twice.
 */
export async function startOnce(
  temporal: Temporal,
  type: string,
  request: object,
  options: Options,
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
