"use client";

import { useRouter } from "next/navigation";
import { useRef, useState } from "react";
import { type RunState, cancelRun, decide, readRun, startWorkflow } from "@/lib/api";
import { DRAWN } from "@/lib/workflow";
import { Badge } from "./Badge";
import { Graph } from "./Graph";
import { LogView } from "./LogView";
import { useEvery } from "./useEvery";
import { useLog } from "./useLog";

/** The workflow before it runs. */
export function WorkflowStart() {
  const router = useRouter();
  const executionId = useRef(crypto.randomUUID());
  const [trouble, setTrouble] = useState("");
  const run = async () => {
    try {
      await startWorkflow({ executionId: executionId.current });
      router.push(`/workflow/${executionId.current}`);
    } catch (error) {
      setTrouble((error as Error).message);
    }
  };
  return (
    <section className="run" aria-label="Run">
      <header>
        <button className="primary" onClick={run}>
          Run workflow
        </button>
      </header>
      {trouble && (
        <p className="faults" role="alert">
          {trouble}
        </p>
      )}
      <Graph nodes={DRAWN} statuses={{}} />
    </section>
  );
}

/** One run of the workflow: the graph, who must say yes, and the lines of each node. */
export function WorkflowRun({ id }: { id: string }) {
  const log = useLog(id);
  const [state, setState] = useState<RunState>();
  const [chosen, setChosen] = useState<string>();
  const [trouble, setTrouble] = useState("");
  const over = Boolean(state?.endedAt);
  useEvery(500, async () => setState(await readRun(id)), !over);
  const doing = (work: Promise<object>) =>
    void work.then(
      () => setTrouble(""),
      (error: Error) => setTrouble(error.message),
    );
  const nodes = state?.nodes ?? [];
  const statuses = Object.fromEntries(nodes.map(({ node, status }) => [node, status]));
  const asking = nodes.filter(({ kind, status }) => kind === "approval" && status === "RUNNING");
  return (
    <section className="run" aria-label="Run">
      <header>
        <Badge status={state?.status ?? log.status ?? "PENDING"} />
        <code>{id}</code>
        <button onClick={() => doing(cancelRun(id))} disabled={over}>
          Cancel
        </button>
      </header>
      {trouble && (
        <p className="faults" role="alert">
          {trouble}
        </p>
      )}
      <Graph nodes={DRAWN} statuses={statuses} chosen={chosen} onChoose={setChosen} />
      {asking.map(({ node }) => (
        <div key={node} className="approval" role="group" aria-label={`Approval of ${node}`}>
          <strong>{node}</strong> waits for a yes.
          <button className="primary" onClick={() => doing(decide(id, node, true))}>
            Approve
          </button>
          <button onClick={() => doing(decide(id, node, false))}>Reject</button>
        </div>
      ))}
      <LogView log={log} choice={chosen} />
    </section>
  );
}
