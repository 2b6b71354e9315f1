/** From a stored workflow, with its nodes and edges, to the contract's graph. */

import type { EventSpec, GraphSpec } from "../generated/types.js";
import * as validators from "../generated/validators.js";
import { check } from "../validation.js";
import { eventOf } from "./event.js";
import { Mapping, type MappingOptions, type Note } from "./mapping.js";
import type { StoredWorkflow } from "./rows.js";
import { targetOf } from "./servers.js";

/** A workflow, and what a person should know of how it came about. */
export interface MappedWorkflow {
  workflow: GraphSpec;
  notes: Note[];
}

type Node = Extract<GraphSpec["nodes"], unknown[]>[number];
type When = "always" | "on_success" | "on_failure" | "on_condition";

const WHEN: Record<string, When> = {
  ALWAYS: "always",
  ON_SUCCESS: "on_success",
  ON_FAILURE: "on_failure",
  ON_CONDITION: "on_condition",
};

/**
 * Makes a graph of the contract from the app's rows; `options.events` finds the events.
 * A circle is refused by the executor, since the app did not look for one on every save.
 *
 * @throws {PayloadValidationError} naming the row, or the field of the graph.
 */
export function fromStoredWorkflow(
  row: StoredWorkflow,
  options: MappingOptions = {},
): MappedWorkflow {
  const mapping = new Mapping(options);
  const events: Record<string, EventSpec> = {};
  const nodes = row.nodes.map(({ id, eventId }, index): Node => {
    const stored = mapping.options.events?.(eventId);
    if (!stored) return mapping.refuse(`nodes[${index}].eventId`, `there is no event ${eventId}`);
    events[String(eventId)] ??= overridden(eventOf(stored, mapping, []), row, mapping);
    return {
      id: String(id),
      event: String(eventId),
      after: (row.edges ?? [])
        .filter(({ targetNodeId }) => String(targetNodeId) === String(id))
        .map((edge) => ({
          node: String(edge.sourceNodeId),
          when: whenOf(edge.connectionType, mapping),
        })),
    };
  });
  lookForLooseEdges(row, mapping);
  const workflow: GraphSpec = {
    id: String(row.id),
    name: row.name,
    ...(row.description ? { description: row.description } : {}),
    tags: row.tags ?? [],
    events,
    nodes,
  };
  return { workflow: check(validators.GraphSpec, workflow), notes: mapping.notes };
}

function whenOf(type: string | null | undefined, mapping: Mapping): When {
  const when = WHEN[type ?? "ALWAYS"];
  return when ?? mapping.refuse("edges", `expected one of ${Object.keys(WHEN).join(", ")}`);
}

/** The app stored it, and never did it: servers of the workflow instead of the events'. */
function overridden(event: EventSpec, row: StoredWorkflow, mapping: Mapping): EventSpec {
  if (!row.overrideEventServers || event.http) return event;
  const targets = (row.overrideServerIds ?? []).map((id) => targetOf(id, mapping));
  return targets.length ? { ...event, targets } : event;
}

function lookForLooseEdges(row: StoredWorkflow, mapping: Mapping): void {
  const known = new Set(row.nodes.map(({ id }) => String(id)));
  (row.edges ?? []).forEach(({ sourceNodeId, targetNodeId }, index) => {
    for (const [end, id] of Object.entries({ sourceNodeId, targetNodeId }))
      if (!known.has(String(id))) mapping.refuse(`edges[${index}].${end}`, `there is no node ${id}`);
  });
}
