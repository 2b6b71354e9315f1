"use client";

import { useState } from "react";
import { type RunState, cancelRun, readRun } from "@/lib/api";
import { Badge } from "./Badge";
import { LogView } from "./LogView";
import { useEvery } from "./useEvery";
import { useLog } from "./useLog";

/** One run: its status, its live log, and in the end its result. */
export function Run({ id }: { id: string }) {
  const log = useLog(id);
  const [state, setState] = useState<RunState>();
  const [trouble, setTrouble] = useState("");
  const over = Boolean(state?.endedAt);
  useEvery(1_000, async () => setState(await readRun(id)), !over);
  const cancel = () => cancelRun(id).catch((error: Error) => setTrouble(error.message));
  return (
    <section className="run" aria-label="Run">
      <header>
        <Badge status={state?.status ?? log.status ?? "PENDING"} />
        <code>{id}</code>
        <button onClick={cancel} disabled={over}>
          Cancel
        </button>
      </header>
      {trouble && (
        <p className="faults" role="alert">
          {trouble}
        </p>
      )}
      <LogView log={log} />
      {state && <Outcome state={state} />}
    </section>
  );
}

function Outcome({ state: { targets = [], result } }: { state: RunState }) {
  return (
    <>
      {targets.length > 1 && (
        <table aria-label="Servers">
          <thead>
            <tr>
              <th>Server</th>
              <th>Status</th>
              <th>Exit code</th>
              <th>Time</th>
            </tr>
          </thead>
          <tbody>
            {targets.map(({ target, status, exitCode, durations }) => (
              <tr key={target}>
                <td>{target}</td>
                <td>
                  <Badge status={status} />
                </td>
                <td>{exitCode}</td>
                <td>{durations.totalMs} ms</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {result && (
        <dl aria-label="Result">
          <dt>Exit code</dt>
          <dd>{result.exitCode ?? "none"}</dd>
          {result.error && (
            <>
              <dt>{result.error.type}</dt>
              <dd>
                {result.error.message} {result.error.hint}
              </dd>
            </>
          )}
          <dt>Output</dt>
          <dd>
            <pre>{JSON.stringify(result.output, null, 2)}</pre>
          </dd>
        </dl>
      )}
    </>
  );
}
