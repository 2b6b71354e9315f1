/** The client: starts events, follows their lines, reads their results. */

import type { Client, DataConverter } from "@temporalio/client";
import { Temporal, type TemporalOptions } from "./connection.js";
import { SettingInvalid } from "./errors.js";
import { Execution, type ExecutionRef, type ExecutionState, type WaitOptions } from "./execution.js";
import { Gateway, type GatewayOptions, type ListOptions, type LogAccess } from "./gateway.js";
import { TASK_QUEUE } from "./generated/names.js";
import type {
  EventRequest,
  EventSpec,
  ExecutionPage,
  ExecutionResult,
} from "./generated/types.js";
import * as validators from "./generated/validators.js";
import { find } from "./lookup.js";
import { newExecutionId } from "./names.js";
import { start } from "./start.js";
import type { LogStream } from "./stream.js";
import type { LogOptions } from "./execution.js";
import { check } from "./validation.js";

/** How to reach the executor; see `optionsFromEnvironment`. */
export interface CroniumOptions {
  temporal?: TemporalOptions;
  /** Unset: logs and lists are not available; everything else is. */
  gateway?: GatewayOptions;
  /** Queue that workers poll; unset: `cronium`. */
  taskQueue?: string;
  /** How payloads are encoded, for encryption. */
  dataConverter?: DataConverter;
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
  readonly #temporal: Temporal;
  readonly #gateway: Gateway | undefined;
  readonly #taskQueue: string;

  constructor(options: CroniumOptions = {}) {
    this.#temporal = new Temporal(options.temporal ?? {}, options.dataConverter);
    this.#gateway = options.gateway && new Gateway(options.gateway);
    this.#taskQueue = options.taskQueue ?? TASK_QUEUE;
  }

  /**
   * Starts an event and returns at once.
   *
   * @throws {PayloadValidationError} it does not fit the contract; nothing was started.
   * @throws {TemporalUnavailable} nobody answers.
   */
  async runEvent(event: EventSpec, options: RunOptions = {}): Promise<Execution> {
    const { executionId = newExecutionId(), trigger = "api", ...rest } = options;
    return this.start({ executionId, event, trigger, ...rest });
  }

  /** Starts what a whole request says; as `runEvent`. */
  async start(request: EventRequest): Promise<Execution> {
    const checked = check(validators.EventRequest, request);
    const workflowId = await start(this.#temporal, checked, {
      taskQueue: this.#taskQueue,
      logsUrl: this.#gateway?.publicUrl,
    });
    return this.#execution(workflowId);
  }

  /**
   * An execution that was started before, here or elsewhere.
   *
   * Give the event's id too if you have it: then nothing has to be looked up.
   *
   * @throws {ExecutionNotFound} nobody knows this id.
   */
  async execution(ref: ExecutionRef): Promise<Execution> {
    return this.#execution(await find(this.#temporal, this.#gateway, ref));
  }

  /** Where an execution stands. */
  async status(ref: ExecutionRef): Promise<ExecutionState> {
    return (await this.execution(ref)).status();
  }

  /** Waits for an execution's result. */
  async result(ref: ExecutionRef, options: WaitOptions = {}): Promise<ExecutionResult> {
    return (await this.execution(ref)).result(options);
  }

  /** Stops an execution; one that is over already stays as it is. */
  async cancel(ref: ExecutionRef): Promise<void> {
    await (await this.execution(ref)).cancel();
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

  #execution(workflowId: string): Execution {
    return new Execution(this.#temporal, this.#gateway, workflowId);
  }
}
