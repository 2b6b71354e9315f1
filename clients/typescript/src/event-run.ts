/** One execution of an event. */

import { Execution, NOT_BEGUN, NO_LOGS, type State } from "./execution.js";
import type { ExecutionResult, TargetResult } from "./generated/types.js";
import { namedBy } from "./names.js";

/** Where an execution of an event stands. */
export interface EventState extends State<ExecutionResult> {
  kind: "event";
  /** Where each target stands; empty when no worker answers. */
  targets: TargetResult[];
}

export class EventRun extends Execution<ExecutionResult> {
  readonly kind = "event";

  /**
   * Where it stands; asks Temporal, not the gateway.
   *
   * @throws {ExecutionNotFound} it was not started, or is older than Temporal keeps.
   */
  async status(): Promise<EventState> {
    const { running, ...state } = await this.state();
    const rows = running ? await this.progress<TargetResult>() : [];
    return { kind: "event", ...state, targets: state.result?.targets ?? rows };
  }

  protected override cancelled(): ExecutionResult {
    const eventId = namedBy(this.workflowId)?.id ?? "";
    return {
      executionId: this.executionId,
      eventId,
      eventName: eventId,
      status: "CANCELLED",
      exitCode: -2,
      durations: { setupMs: 0, executionMs: 0, cleanupMs: 0, totalMs: 0 },
      output: null,
      condition: null,
      error: NOT_BEGUN,
      logs: NO_LOGS,
      attempts: 0,
      targets: [],
      counts: null,
      actions: [],
    };
  }
}
