/** Turns what Temporal throws into errors of the executor. */

import {
  ApplicationFailure,
  CancelledFailure,
  QueryNotRegisteredError,
  QueryRejectedError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  isGrpcServiceError,
} from "@temporalio/client";
import {
  type CroniumError,
  ExecutionFailed,
  ExecutionNotFound,
  PayloadValidationError,
  type Problem,
  RequestRefused,
  TemporalUnavailable,
  errorOf,
  isCroniumError,
} from "./errors.js";
import { PAYLOAD_ERROR_TYPE } from "./generated/names.js";

// Status codes of gRPC: https://grpc.io/docs/guides/status-codes/
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;

/** Whether an execution ended by a cancel that came before it had a result to give. */
export function isCancelled(error: unknown): boolean {
  return error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure;
}

/** Whether waiting longer may help: Temporal is away for a moment. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return code === UNAVAILABLE || code === DEADLINE_EXCEEDED || code === RESOURCE_EXHAUSTED;
}

/** The error of this client for one of Temporal's. */
export function toCroniumError(error: unknown): CroniumError {
  if (isCroniumError(error)) return error;
  if (error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError)
    return new RequestRefused(error.message, { cause: error });
  if (error instanceof WorkflowNotFoundError) return new ExecutionNotFound("", { cause: error });
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError)
    return ofWorkflow(error.cause ?? error);
  switch (codeOf(error)) {
    case NOT_FOUND:
      return new ExecutionNotFound("", { cause: error });
    case UNAVAILABLE:
    case DEADLINE_EXCEEDED:
    case RESOURCE_EXHAUSTED:
      return new TemporalUnavailable("", { cause: error });
    case INVALID_ARGUMENT:
      return new RequestRefused(`Temporal refused the request: ${messageOf(error)}`, {
        cause: error,
      });
    default:
      return new ExecutionFailed(messageOf(error), { cause: error });
  }
}

function ofWorkflow(cause: Error): CroniumError {
  if (cause instanceof ApplicationFailure) return ofApplication(cause);
  if (cause instanceof TerminatedFailure)
    return new ExecutionFailed(`somebody terminated the execution: ${cause.message}`, { cause });
  if (cause instanceof TimeoutFailure)
    return new ExecutionFailed("the execution took longer than Temporal allows", { cause });
  return new ExecutionFailed(cause.message, { cause });
}

function ofApplication(failure: ApplicationFailure): CroniumError {
  const details = failure.details ?? [];
  const hint = details.filter((detail) => typeof detail === "string").join(" ");
  const options = { hint, cause: failure };
  if (failure.type === PAYLOAD_ERROR_TYPE) {
    const problems = details.flat().filter(isProblem);
    const message = failure.message || "the request does not fit the contract";
    return new PayloadValidationError(problems.length ? problems : [{ path: "", message }], options);
  }
  return errorOf(failure.type ?? "ExecutionFailed", failure.message, {
    ...options,
    retryable: !failure.nonRetryable,
  });
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "path" in value && "message" in value;
}

function codeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) ? cause.code : undefined;
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (isGrpcServiceError(cause)) return cause.details || cause.message;
  return error instanceof Error ? error.message : String(error);
}
