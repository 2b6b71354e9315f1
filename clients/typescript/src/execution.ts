/** One execution that was started: its status, its lines, its result, its end. */

import type { WorkflowExecutionDescription, WorkflowHandle } from "@temporalio/client";
import { WebSocket } from "ws";
import type { Temporal } from "./connection.js";
import { SettingInvalid } from "./errors.js";
import { isCancelled, isPassing, toCroniumError } from "./failures.js";
import type { Gateway } from "./gateway.js";
import type { ExecutionResult, Status, TargetResult } from "./generated/types.js";
import { namedBy } from "./names.js";
import type { WebSocketLike } from "./socket.js";
import { LogStream, type LogStreamOptions } from "./stream.js";

/**
 * Which execution: its id, its workflow id, or, without anything to look up, its id and
 * that of its event.
 */
export type ExecutionRef = string | { eventId: string; executionId: string };

/** What may be said of a log stream. */
export type LogOptions = Omit<LogStreamOptions, "url" | "executionId" | "token" | "WebSocket">;

export interface WaitOptions {
  /** Ends the waiting with the signal's reason; the execution goes on. */
  signal?: AbortSignal;
}

/** Where an execution stands. */
export interface ExecutionState {
  executionId: string;
  workflowId: string;
  status: Status;
  startedAt: Date;
  /** Unset while it runs. */
  endedAt: Date | undefined;
  /** Where each target stands; empty when no worker answers. */
  targets: TargetResult[];
  /** Unset while it runs, and for executions without one. */
  result: ExecutionResult | undefined;
}

// Ends of a workflow that leave no result of ours behind.
const ENDS: Record<string, Status> = {
  FAILED: "FAILURE",
  TERMINATED: "CANCELLED",
  CANCELLED: "CANCELLED",
  TIMED_OUT: "TIMEOUT",
};
const RETRY_MS = 1_000;
const TOKEN_SECONDS = 900;

export class Execution {
  readonly workflowId: string;
  readonly executionId: string;
  readonly #temporal: Temporal;
  readonly #gateway: Gateway | undefined;

  /** Made by `Cronium`. */
  constructor(temporal: Temporal, gateway: Gateway | undefined, workflowId: string) {
    this.workflowId = workflowId;
    this.executionId = namedBy(workflowId)?.executionId ?? workflowId;
    this.#temporal = temporal;
    this.#gateway = gateway;
  }

  /**
   * Where it stands; asks Temporal, not the gateway.
   *
   * @throws {ExecutionNotFound} it was not started, or is older than Temporal keeps.
   */
  async status(): Promise<ExecutionState> {
    const described = await this.#temporal.call(() => this.#handle.describe());
    const word = described.status.name;
    const result = word === "COMPLETED" ? await this.result() : undefined;
    return {
      executionId: this.executionId,
      workflowId: this.workflowId,
      status: result?.status ?? ENDS[word] ?? "RUNNING",
      startedAt: described.startTime,
      endedAt: described.closeTime,
      targets: result?.targets ?? (await this.#targets(described)),
      result,
    };
  }

  /**
   * Waits for the result, however long that takes and however often Temporal is away.
   * A script that fails has a result as well: look at `status` and `error`.
   *
   * @throws {PayloadValidationError} the request did not fit; each field is named.
   * @throws {CroniumError} of the type that the executor gave: it refused the request.
   */
  async result({ signal }: WaitOptions = {}): Promise<ExecutionResult> {
    for (;;) {
      signal?.throwIfAborted();
      try {
        const wait = () => this.#handle.result() as Promise<ExecutionResult>;
        return await (signal ? this.#temporal.client.withAbortSignal(signal, wait) : wait());
      } catch (error) {
        signal?.throwIfAborted();
        if (isCancelled(error)) return cancelled(this.workflowId);
        if (!isPassing(error)) throw toCroniumError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Asks it to stop, and returns when that is noted; one that is over stays as it is. */
  async cancel(): Promise<void> {
    await this.#temporal.call(async () => {
      const described = await this.#handle.describe();
      if (described.status.name === "RUNNING") await this.#handle.cancel();
    });
  }

  /**
   * Its lines, from `fromSeq` on, and then as they come.
   *
   * @throws {SettingInvalid} the gateway or its secret is not configured.
   */
  logs(options: LogOptions = {}): LogStream {
    const gateway = this.#gateway;
    if (!gateway) throw new SettingInvalid("no gateway is configured");
    return new LogStream({
      ...options,
      url: gateway.url,
      executionId: this.executionId,
      token: () => gateway.logAccess(this.executionId, TOKEN_SECONDS).token,
      WebSocket: WebSocket as unknown as WebSocketLike,
    });
  }

  get #handle(): WorkflowHandle {
    return this.#temporal.client.workflow.getHandle(this.workflowId);
  }

  async #targets(described: WorkflowExecutionDescription): Promise<TargetResult[]> {
    if (described.status.name !== "RUNNING") return [];
    try {
      return await this.#temporal.call(() => this.#handle.query<TargetResult[]>("progress"));
    } catch {
      // No worker answers: what is known is what Temporal has.
      return [];
    }
  }
}

/** The result of an execution that was cancelled before it had one. */
function cancelled(workflowId: string): ExecutionResult {
  const { id, executionId } = namedBy(workflowId) ?? { id: "", executionId: workflowId };
  const none = { setupMs: 0, executionMs: 0, cleanupMs: 0, totalMs: 0 };
  return {
    executionId,
    eventId: id,
    eventName: id,
    status: "CANCELLED",
    exitCode: -2,
    durations: none,
    output: null,
    condition: null,
    error: {
      type: "Cancelled",
      message: "cancelled before it began",
      hint: "",
      retryable: false,
    },
    logs: { lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0, stored: 0, lastLines: [] },
    attempts: 0,
    targets: [],
    counts: null,
    actions: [],
  };
}
