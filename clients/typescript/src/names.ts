/** Ids and addresses, as the executor forms them. */

import { randomBytes } from "node:crypto";
import { EVENT_WORKFLOW, GRAPH_WORKFLOW } from "./generated/names.js";

export * from "./generated/names.js";

const ID = "[A-Za-z0-9][A-Za-z0-9._-]*";
const WORKFLOW_ID = new RegExp(`^(event|graph):(${ID}):(${ID})$`);

/** What a workflow id says. */
export interface Named {
  kind: "event" | "graph";
  /** Id of the event or of the graph. */
  id: string;
  executionId: string;
}

/** The workflow id of one execution of an event: the same request gives the same id. */
export function eventWorkflowId(eventId: string, executionId: string): string {
  return `event:${eventId}:${executionId}`;
}

/** The workflow id of one execution of a graph. */
export function graphWorkflowId(graphId: string, executionId: string): string {
  return `graph:${graphId}:${executionId}`;
}

/** The workflow id of the part that runs the graph of a node, or an item of a map. */
export function graphPartId(workflowId: string, place: string): string {
  return `${workflowId}:part-${place}`;
}

/** What a workflow id says, or nothing when it is not one of ours. */
export function namedBy(workflowId: string): Named | undefined {
  const found = WORKFLOW_ID.exec(workflowId);
  if (!found) return undefined;
  return { kind: found[1] as Named["kind"], id: found[2]!, executionId: found[3]! };
}

/** The kinds of Temporal workflows that are executions. */
export const EXECUTION_WORKFLOWS = [EVENT_WORKFLOW, GRAPH_WORKFLOW] as const;

/** A fresh execution id; later ones sort after earlier ones. */
export function newExecutionId(): string {
  return Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
}
