/** The app's own API, as pages call it. */

import type {
  ExecutionPage,
  LogAccess,
  NodeResult,
  Problem,
  Status,
  TargetResult,
} from "@cronium/client/browser";

/** What went wrong, in words for the person in front. */
export class Refusal extends Error {
  readonly problems: readonly Problem[];
  readonly hint: string;

  constructor(status: number, error?: { message: string; hint: string; problems?: Problem[] }) {
    super(error?.message ?? `The server answered with status ${status}.`);
    this.problems = error?.problems ?? [];
    this.hint = error?.hint ?? "";
  }
}

/** A run's state after its way through JSON. */
export interface RunState {
  executionId: string;
  workflowId: string;
  status: Status;
  startedAt: string;
  endedAt?: string;
  /** Of an event. */
  targets?: TargetResult[];
  /** Of a workflow. */
  nodes?: NodeResult[];
  result?: { output: unknown; exitCode: number | null; error: ErrorText | null; logs: { lines: number } };
}

interface ErrorText {
  type: string;
  message: string;
  hint: string;
}

export const startRun = (order: object) => post<{ executionId: string }>("/api/runs", order);
export const startWorkflow = (order: { executionId: string }) =>
  post<{ executionId: string }>("/api/workflows", order);
export const decide = (id: string, node: string, approved: boolean) =>
  post<object>(`/api/runs/${encodeURIComponent(id)}/approval`, { node, approved });
export const listRuns = () => call<ExecutionPage>("/api/runs");
export const readRun = (id: string) => call<RunState>(`/api/runs/${encodeURIComponent(id)}`);
export const cancelRun = (id: string) =>
  call<object>(`/api/runs/${encodeURIComponent(id)}`, { method: "DELETE" });
export const logAccess = (id: string) =>
  call<LogAccess>(`/api/runs/${encodeURIComponent(id)}/log`);

export function post<T>(path: string, body: object): Promise<T> {
  return call<T>(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export async function call<T>(path: string, options: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { cache: "no-store", ...options });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, body.error);
  return body as T;
}
