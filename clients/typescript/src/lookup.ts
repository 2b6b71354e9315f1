/** Finds the workflow of an execution. */

import type { Temporal } from "./connection.js";
import { ExecutionNotFound, isCroniumError } from "./errors.js";
import type { Gateway } from "./gateway.js";
import type { ExecutionRef } from "./execution.js";
import { EXECUTION_WORKFLOWS, eventWorkflowId, graphWorkflowId, namedBy } from "./names.js";

// How far back an id without its event's is looked for.
const MOST_SCANNED = 2_000;

/** Returns the workflow id; asks gateway and Temporal only for a bare execution id. */
export async function find(
  temporal: Temporal,
  gateway: Gateway | undefined,
  ref: ExecutionRef,
): Promise<string> {
  if (typeof ref !== "string")
    return "graphId" in ref
      ? graphWorkflowId(ref.graphId, ref.executionId)
      : eventWorkflowId(ref.eventId, ref.executionId);
  if (namedBy(ref)) return ref;
  const known = gateway && (await ask(gateway, ref));
  if (known) return known;
  const found = await scan(temporal, ref);
  if (found) return found;
  throw new ExecutionNotFound(`there is no execution ${ref.slice(0, 200)}`);
}

async function ask(gateway: Gateway, executionId: string): Promise<string | undefined> {
  try {
    return (await gateway.execution(executionId)).workflowId || undefined;
  } catch (error) {
    // Temporal knows it as well, only not so quickly.
    if (isCroniumError(error)) return undefined;
    throw error;
  }
}

async function scan(temporal: Temporal, executionId: string): Promise<string | undefined> {
  const types = EXECUTION_WORKFLOWS.map((name) => `WorkflowType="${name}"`).join(" OR ");
  let seen = 0;
  return temporal.call(async (client) => {
    for await (const { workflowId } of client.workflow.list({ query: types })) {
      if (namedBy(workflowId)?.executionId === executionId) return workflowId;
      if (++seen >= MOST_SCANNED) break;
    }
    return undefined;
  });
}
