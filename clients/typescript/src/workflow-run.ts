/** One execution of a workflow: a graph of nodes that people can steer while it runs. */

import type { WorkflowHandle } from "@temporalio/client";
import { Execution, NOT_BEGUN, NO_LOGS, type State } from "./execution.js";
import type {
  Decision,
  GraphRequest,
  GraphResult,
  GraphSpec,
  NodeOrder,
  NodeResult,
  RerunOrder,
  Steering,
} from "./generated/types.js";
import * as validators from "./generated/validators.js";
import { graphPartId, namedBy, newExecutionId } from "./names.js";
import { check } from "./validation.js";

/** Where an execution of a workflow stands. */
export interface WorkflowState extends State<GraphResult> {
  kind: "workflow";
  /** Where each node stands; empty when no worker answers. */
  nodes: NodeResult[];
}

/** Who says something to a run, and why. */
export type Said = Steering;

/** What to run again of a run that is over. */
export interface RerunOptions {
  /** Nodes to run anew, with all behind them; unset: those that failed and were not handled. */
  from?: string[];
  /** The workflow as it is now: nodes that were edited run anew as well; unset: as it was. */
  workflow?: GraphSpec;
  /** The same id is started once, however often it is asked for; unset: a fresh one. */
  executionId?: string;
}

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
   * The request that runs it again: what ended well is taken as it was. A worker must be
   * there to answer; `Cronium.rerun` starts it.
   *
   * @throws {RequestRefused} it is not over yet, or a node is not known.
   */
  async rerunRequest({ from, workflow, executionId }: RerunOptions = {}): Promise<
    GraphRequest & { executionId: string }
  > {
    const order = check(validators.RerunOrder, {
      ...(from ? { again: from } : {}),
      ...(workflow ? { workflow } : {}),
    });
    const request = await this.temporal.call(() =>
      this.handle.query<GraphRequest, [RerunOrder]>("rerun", order),
    );
    return { ...request, trigger: "api", executionId: executionId ?? newExecutionId() };
  }

  /**
   * Says yes to a node that waits for it; one inside of another node is `outer/inner`.
   *
   * @throws {RequestRefused} it does not wait, was decided already, or not by this person.
   */
  async approve(node: string, said: Said): Promise<void> {
    await this.#decide(node, { approved: true, ...said });
  }

  /** Says no to a node that waits for a yes. */
  async reject(node: string, said: Said): Promise<void> {
    await this.#decide(node, { approved: false, ...said });
  }

  /** Skips a node that has not ended; one that runs is stopped. */
  async skip(node: string, said: Said & { passes?: boolean }): Promise<void> {
    await this.#order("skip_node", node, said);
  }

  /** Lets a node that failed run again. */
  async retry(node: string, said: Said): Promise<void> {
    await this.#order("retry_node", node, said);
  }

  /** Begins no other node and no other item of a map; those that run go on. */
  async pause(said: Said): Promise<void> {
    await this.#update(this.handle, "pause", check(validators.Steering, said));
  }

  /** Begins nodes again; ends a run that is held after a failure. */
  async resume(said: Said): Promise<void> {
    await this.#update(this.handle, "resume", check(validators.Steering, said));
  }

  async #decide(path: string, said: Omit<Decision, "node">): Promise<void> {
    const [part, node] = this.#partOf(path);
    await this.#update(part, "decide", check(validators.Decision, { node, ...said }));
  }

  async #order(name: string, path: string, said: Omit<NodeOrder, "node">): Promise<void> {
    const [part, node] = this.#partOf(path);
    await this.#update(part, name, check(validators.NodeOrder, { node, ...said }));
  }

  /** The workflow that a node is of, and the node's own id. */
  #partOf(path: string): [WorkflowHandle, string] {
    const places = path.split("/");
    const node = places.pop()!;
    const id = places.reduce(graphPartId, this.workflowId);
    return [this.temporal.client.workflow.getHandle(id), node];
  }

  async #update(
    part: WorkflowHandle,
    name: string,
    argument: Decision | NodeOrder | Steering,
  ): Promise<void> {
    await this.temporal.call(() => part.executeUpdate(name, { args: [argument] }));
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
