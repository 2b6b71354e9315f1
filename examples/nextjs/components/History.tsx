"use client";

import type { ExecutionSummary } from "@cronium/client/browser";
import Link from "next/link";
import { useState } from "react";
import { listRuns } from "@/lib/api";
import { Badge } from "./Badge";
import { useEvery } from "./useEvery";

/** The newest runs; each leads to its own page. */
export function History({ current }: { current?: string }) {
  const [runs, setRuns] = useState<ExecutionSummary[]>();
  useEvery(2_000, async () => setRuns((await listRuns()).executions));
  return (
    <section className="history" aria-label="Run history">
      <h2>History</h2>
      {runs?.length === 0 && <p className="note">Nothing has run yet.</p>}
      <ul>
        {runs?.map((run) => (
          <li key={run.executionId} aria-current={run.executionId === current}>
            <Link href={hrefOf(run)}>
              <Badge status={run.status} />
              <span className="name">{run.eventName}</span>
              <time dateTime={run.createdAt}>{new Date(run.createdAt).toLocaleTimeString()}</time>
              <span className="count">{run.lines} lines</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function hrefOf({ executionId, eventType }: ExecutionSummary): string {
  const place = eventType === "workflow" ? "workflow" : "runs";
  return `/${place}/${encodeURIComponent(executionId)}`;
}
