/** The client: starts events, follows their lines, reads their results. */

import type { Client } from "@temporalio/client";
import { converter } from "./codec.js";
import { Temporal, type TemporalOptions } from "./connection.js";
import { RequestRefused, SettingInvalid } from "./errors.js";
import { EventRun, type EventState } from "./event-run.js";
import type { ExecutionRef, LogOptions, WaitOptions } from "./execution.js";
import { Gateway, type GatewayOptions, type ListOptions, type LogAccess } from "./gateway.js";
import { TASK_QUEUE } from "./generated/names.js";
import type {
  EventRequest,
  EventSpec,
  ExecutionPage,
  ExecutionResult,
  GraphRequest,
  GraphResult,
  GraphSpec,
  ScheduleSpec,
} from "./generated/types.js";
import * as validators from "./generated/validators.js";
import type { KeyRing } from "./keys.js";
import { find } from "./lookup.js";
import { namedBy, newExecutionId } from "./names.js";
import { Schedules } from "./schedules.js";
import { startEvent, startGraph } from "./start.js";
import type { LogStream } from "./stream.js";
import type { TraceCarrier } from "./tracing.js";
import { check } from "./validation.js";
import { type RerunOptions, type Said, WorkflowRun, type WorkflowState } from "./workflow-run.js";

/** How to reach the executor; see `optionsFromEnvironment`. */
export interface CroniumOptions {
  temporal?: TemporalOptions;
  /** Unset: logs and lists are not available; everything else is. */
  gateway?: GatewayOptions;
  /** Queue that workers poll; unset: `cronium`. */
  taskQueue?: string;
  /** Keys to encrypt with, the same as the workers'. */
  encryption?: KeyRing;
  /**
   * The caller's trace, asked for at each start; workers with tracing go on with it. With
   * OpenTelemetry: `() => { const c = {}; propagation.inject(context.active(), c); return c; }`
   */
  trace?: () => TraceCarrier;
}

/** How to run an event, besides what it is. */
export interface RunOptions {
  /** What the script reads with `cronium.input()`. */
  input?: unknown;
  /** The same id is started once, however often it is asked for; unset: a fresh one. */
  executionId?: string;
  /** Whose execution it is: who may read its log, and whose variables it uses. */
  user?: string;
  /** Who asked; unset: `api`. */
  trigger?: EventRequest["trigger"];
  /** 1 is first, 5 is last. */
  priority?: number;
}

/** One client serves a whole process; it connects when it is first used. */
export class Cronium {
  /** Events and workflows that run by themselves. */
  readonly schedules: Schedules;
  readonly #temporal: Temporal;
  readonly #gateway: Gateway | undefined;
  readonly #taskQueue: string;

  constructor(options: CroniumOptions = {}) {
    const { temporal = {}, encryption, trace } = options;
    this.#temporal = new Temporal(temporal, converter(encryption), trace);
    this.#gateway = options.gateway && new Gateway(options.gateway);
    this.#taskQueue = options.taskQueue ?? TASK_QUEUE;
    this.schedules = new Schedules(this.#temporal, this.#taskQueue);
  }

  /**
   * Starts an event and returns at once.
   *
   * @throws {PayloadValidationError} it does not fit the contract; nothing was started.
   * @throws {TemporalUnavailable} nobody answers.
   */
  async runEvent(event: EventSpec, options: RunOptions = {}): Promise<EventRun> {
    const { trigger = "api", ...rest } = options;
    return this.start({ event, trigger, ...rest });
  }

  /** Starts what a whole request says; as `runEvent`. */
  async start(request: EventRequest): Promise<EventRun> {
    const whole = { ...request, executionId: request.executionId ?? newExecutionId() };
    check(validators.EventRequest, whole);
    const workflowId = await startEvent(this.#temporal, whole, this.#place);
    return new EventRun(this.#temporal, this.#gateway, workflowId);
  }

  /** Starts a workflow, a graph of nodes, and returns at once; as `runEvent`. */
  async runWorkflow(workflow: GraphSpec, options: RunOptions = {}): Promise<WorkflowRun> {
    const { executionId = newExecutionId(), trigger = "api", ...rest } = options;
    return this.#startGraph({ executionId, workflow, trigger, ...rest });
  }

  /**
   * Runs a workflow again that is over, from where it failed: what ended well is taken as
   * it was. Needs a worker that answers.
   *
   * @throws {RequestRefused} it is not over yet, or a node is not known.
   */
  async rerun(ref: ExecutionRef, options: RerunOptions = {}): Promise<WorkflowRun> {
    const run = await this.#workflow(ref, "only workflows can be run again from a node");
    return this.#startGraph(await run.rerunRequest(options));
  }

  /**
   * An execution that was started before, here or elsewhere.
   *
   * Give the id of its event or graph too if you have it: then nothing is looked up.
   *
   * @throws {ExecutionNotFound} nobody knows this id.
   */
  async execution(ref: ExecutionRef): Promise<EventRun | WorkflowRun> {
    const workflowId = await find(this.#temporal, this.#gateway, ref);
    const Kind = namedBy(workflowId)?.kind === "graph" ? WorkflowRun : EventRun;
    return new Kind(this.#temporal, this.#gateway, workflowId);
  }

  /** Where an execution stands; `kind` says of what. */
  async status(ref: ExecutionRef): Promise<EventState | WorkflowState> {
    return (await this.execution(ref)).status();
  }

  /** Waits for an execution's result. */
  async result(
    ref: ExecutionRef,
    options: WaitOptions = {},
  ): Promise<ExecutionResult | GraphResult> {
    return (await this.execution(ref)).result(options);
  }

  /** Stops an execution; one that is over already stays as it is. */
  async cancel(ref: ExecutionRef): Promise<void> {
    await (await this.execution(ref)).cancel();
  }

  /** Says yes to a node that waits for it; `WorkflowRun` has more to say. */
  async approve(ref: ExecutionRef, node: string, said: Said): Promise<void> {
    const run = await this.#workflow(ref, "only workflows have approvals");
    await run.approve(node, said);
  }

  /** Makes or changes a schedule; `schedules` has more to do with them. */
  schedule(spec: ScheduleSpec): Promise<void> {
    return this.schedules.apply(spec);
  }

  /** The lines of an execution as they come, from `fromSeq` on. */
  async streamLogs(ref: ExecutionRef, options: LogOptions = {}): Promise<LogStream> {
    return (await this.execution(ref)).logs(options);
  }

  /** What a browser needs to follow one log by itself: address and a short-lived token. */
  logAccess(executionId: string, lifetimeSeconds?: number): LogAccess {
    return this.gateway.logAccess(executionId, lifetimeSeconds);
  }

  /** Executions, newest first, as the gateway has them. */
  list(options: ListOptions = {}): Promise<ExecutionPage> {
    return this.gateway.list(options);
  }

  /**
   * The gateway's REST API.
   *
   * @throws {SettingInvalid} none is configured.
   */
  get gateway(): Gateway {
    if (this.#gateway) return this.#gateway;
    throw new SettingInvalid("no gateway is configured", { hint: "Set CRONIUM_GATEWAY_URL." });
  }

  /** Temporal's own client, for what this one does not offer. */
  get temporal(): Client {
    return this.#temporal.client;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.temporal.connection.close();
  }

  async #startGraph(request: GraphRequest & { executionId: string }): Promise<WorkflowRun> {
    check(validators.GraphRequest, request);
    const workflowId = await startGraph(this.#temporal, request, this.#place);
    return new WorkflowRun(this.#temporal, this.#gateway, workflowId);
  }

  async #workflow(ref: ExecutionRef, refusal: string): Promise<WorkflowRun> {
    const run = await this.execution(ref);
    if (run.kind !== "workflow") throw new RequestRefused(refusal);
    return run;
  }

  get #place() {
    return { taskQueue: this.#taskQueue, logsUrl: this.#gateway?.publicUrl };
  }
}
