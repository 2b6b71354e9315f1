/** What executions of events and of workflows have in common. */

import type { WorkflowExecutionDescription, WorkflowHandle } from "@temporalio/client";
import { WebSocket } from "ws";
import type { Temporal } from "./connection.js";
import { SettingInvalid } from "./errors.js";
import { isCancelled, isPassing, toCroniumError } from "./failures.js";
import type { Gateway } from "./gateway.js";
import type { LogCounts, Status } from "./generated/types.js";
import { namedBy } from "./names.js";
import type { WebSocketLike } from "./socket.js";
import { LogStream, type LogStreamOptions } from "./stream.js";

/**
 * Which execution: its id, Temporal's workflow id, or, without anything to look up, its id
 * and that of its event or graph.
 */
export type ExecutionRef =
  | string
  | { eventId: string; executionId: string }
  | { graphId: string; executionId: string };

/** What may be said of a log stream. */
export type LogOptions = Omit<LogStreamOptions, "url" | "executionId" | "token" | "WebSocket">;

export interface WaitOptions {
  /** Ends the waiting with the signal's reason; the execution goes on. */
  signal?: AbortSignal;
}

/** Where an execution stands, whatever it runs. */
export interface State<Result> {
  executionId: string;
  /** Of Temporal. */
  workflowId: string;
  status: Status;
  startedAt: Date;
  /** Unset while it runs. */
  endedAt: Date | undefined;
  /** Unset while it runs, and for executions without one. */
  result: Result | undefined;
}

// Ends of a Temporal workflow that leave no result of ours behind.
const ENDS: Record<string, Status> = {
  FAILED: "FAILURE",
  TERMINATED: "CANCELLED",
  CANCELLED: "CANCELLED",
  TIMED_OUT: "TIMEOUT",
};
const RETRY_MS = 1_000;
const TOKEN_SECONDS = 900;

export abstract class Execution<Result extends { status: Status }> {
  readonly workflowId: string;
  readonly executionId: string;
  protected readonly temporal: Temporal;
  readonly #gateway: Gateway | undefined;

  /** Made by `Cronium`. */
  constructor(temporal: Temporal, gateway: Gateway | undefined, workflowId: string) {
    this.workflowId = workflowId;
    this.executionId = namedBy(workflowId)?.executionId ?? workflowId;
    this.temporal = temporal;
    this.#gateway = gateway;
  }

  /**
   * Waits for the result, however long that takes and however often Temporal is away.
   * What fails has a result as well: look at `status` and `error`.
   *
   * @throws {PayloadValidationError} the request did not fit; each field is named.
   * @throws {CroniumError} of the type that the executor gave: it refused the request.
   */
  async result({ signal }: WaitOptions = {}): Promise<Result> {
    for (;;) {
      signal?.throwIfAborted();
      try {
        const wait = () => this.handle.result() as Promise<Result>;
        return await (signal ? this.temporal.client.withAbortSignal(signal, wait) : wait());
      } catch (error) {
        signal?.throwIfAborted();
        if (isCancelled(error)) return this.cancelled();
        if (!isPassing(error)) throw toCroniumError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Asks it to stop, and returns when that is noted; one that is over stays as it is. */
  async cancel(): Promise<void> {
    await this.temporal.call(async () => {
      const described = await this.handle.describe();
      if (described.status.name === "RUNNING") await this.handle.cancel();
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

  protected get handle(): WorkflowHandle {
    return this.temporal.client.workflow.getHandle(this.workflowId);
  }

  /** Where it stands, and whether it still runs. */
  protected async state(): Promise<State<Result> & { running: boolean }> {
    const described: WorkflowExecutionDescription = await this.temporal.call(() =>
      this.handle.describe(),
    );
    const word = described.status.name;
    const result = word === "COMPLETED" ? await this.result() : undefined;
    return {
      executionId: this.executionId,
      workflowId: this.workflowId,
      status: result?.status ?? ENDS[word] ?? "RUNNING",
      startedAt: described.startTime,
      endedAt: described.closeTime,
      result,
      running: word === "RUNNING",
    };
  }

  /** What the workflow says of its parts; nothing when no worker answers. */
  protected async progress<Row>(): Promise<Row[]> {
    try {
      return await this.temporal.call(() => this.handle.query<Row[]>("progress"));
    } catch {
      return [];
    }
  }

  /** The result of an execution that was cancelled before it had one. */
  protected abstract cancelled(): Result;
}

/** Counts of a log that was never written. */
export const NO_LOGS: LogCounts = {
  lines: 0,
  bytes: 0,
  droppedLines: 0,
  droppedBytes: 0,
  stored: 0,
  lastLines: [],
};

/** Why an execution that never began has no result. */
export const NOT_BEGUN = {
  type: "Cancelled",
  message: "cancelled before it began",
  hint: "",
  retryable: false,
};
