/** Turns errors of the executor into answers that a page can show. */

import "server-only";
import {
  ExecutionNotFound,
  PayloadValidationError,
  RequestRefused,
  isCroniumError,
} from "@cronium/client";

/** Answers with what the work returns, or with the error that it throws. */
export async function answer(work: () => Promise<unknown>, status = 200): Promise<Response> {
  try {
    return Response.json(await work(), { status });
  } catch (error) {
    if (!isCroniumError(error)) throw error;
    return Response.json({ error: error.toJSON() }, { status: statusOf(error) });
  }
}

/** The body of a request as JSON. */
export async function bodyOf<T>(request: Request): Promise<T> {
  try {
    return (await request.json()) as T;
  } catch {
    throw new PayloadValidationError([{ path: "", message: "expected JSON" }]);
  }
}

function statusOf(error: Error & { retryable: boolean }): number {
  if (error instanceof ExecutionNotFound) return 404;
  if (error instanceof RequestRefused) return 422;
  return error.retryable ? 503 : 500;
}
