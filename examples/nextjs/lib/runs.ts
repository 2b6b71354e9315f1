/** The runs of the user who asks: nobody sees another one's. */

import "server-only";
import { type EventRun, ExecutionNotFound, type WorkflowRun } from "@cronium/client";
import { cronium } from "./cronium";
import { currentUser } from "./user";

// Between a start and the gateway's hearing of it a worker has to take the run.
const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 100;

/** Returns a run; throws ExecutionNotFound for unknown ones and other users'. */
export async function ownRun(executionId: string): Promise<EventRun | WorkflowRun> {
  const user = await currentUser();
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const known = await cronium().gateway.execution(executionId);
      // The gateway may hear of a line before it hears whose it is.
      if (known.user === user) return await cronium().execution(known.workflowId);
      if (known.user) throw new ExecutionNotFound();
    } catch (error) {
      if (!(error instanceof ExecutionNotFound) || Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
