/** One execution of a workflow: a graph of nodes that people can steer while it runs. */

import { Execution, NOT_BEGUN, NO_LOGS, type State } from "./execution.js";
import type { Decision, GraphResult, NodeOrder, NodeResult, Steering } from "./generated/types.js";
import * as validators from "./generated/validators.js";
import { namedBy } from "./names.js";
import { check } from "./validation.js";

/** Where an execution of a workflow stands. */
export interface WorkflowState extends State<GraphResult> {
  kind: "workflow";
  /** Where each node stands; empty when no worker answers. */
  nodes: NodeResult[];
}

/** Who says something to a run, and why. */
export type Said = Steering;

export class WorkflowRun extends Execution<GraphResult> {
  readonly kind = "workflow";

  /**
   * Where it stands; asks Temporal, not the gateway.
   *
   * @throws {ExecutionNotFound} it was not started, or is older than Temporal keeps.
   */
  async status(): Promise<WorkflowState> {
    const { running, ...state } = await this.state();
    const rows = running ? await this.progress<NodeResult>() : [];
    return { kind: "workflow", ...state, nodes: state.result?.nodes ?? rows };
  }

  /**
   * Says yes to a node that waits for it.
   *
   * @throws {RequestRefused} it does not wait, was decided already, or not by this person.
   */
  async approve(node: string, said: Said): Promise<void> {
    await this.#decide({ node, approved: true, ...said });
  }

  /** Says no to a node that waits for a yes. */
  async reject(node: string, said: Said): Promise<void> {
    await this.#decide({ node, approved: false, ...said });
  }

  /** Skips a node that has not ended; one that runs is stopped. */
  async skip(node: string, said: Said & { passes?: boolean }): Promise<void> {
    await this.#update("skip_node", check(validators.NodeOrder, { node, ...said }));
  }

  /** Lets a node that failed run again. */
  async retry(node: string, said: Said): Promise<void> {
    await this.#update("retry_node", check(validators.NodeOrder, { node, ...said }));
  }

  /** Begins no other node; those that run go on. */
  async pause(said: Said): Promise<void> {
    await this.#update("pause", check(validators.Steering, said));
  }

  /** Begins nodes again. */
  async resume(said: Said): Promise<void> {
    await this.#update("resume", check(validators.Steering, said));
  }

  async #decide(said: Decision): Promise<void> {
    await this.#update("decide", check(validators.Decision, said));
  }

  async #update(name: string, argument: Decision | NodeOrder | Steering): Promise<void> {
    await this.temporal.call(() => this.handle.executeUpdate(name, { args: [argument] }));
  }

  protected override cancelled(): GraphResult {
    const graphId = namedBy(this.workflowId)?.id ?? "";
    return {
      executionId: this.executionId,
      workflowId: graphId,
      workflowName: graphId,
      status: "CANCELLED",
      output: null,
      error: NOT_BEGUN,
      totalMs: 0,
      nodes: [],
      omitted: [],
      counts: { total: 0, succeeded: 0, failed: 0, handled: 0, skipped: 0, cancelled: 0 },
      logs: NO_LOGS,
      rerunOf: null,
    };
  }
}
