import { answer, bodyOf } from "@/lib/answers";
import { cronium } from "@/lib/cronium";
import { currentUser } from "@/lib/user";
import { WORKFLOW } from "@/lib/workflow";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

/** Starts the workflow and answers at once. */
export async function POST(request: Request) {
  return answer(async () => {
    const { executionId } = await bodyOf<{ executionId: string }>(request);
    const user = await currentUser();
    const run = await cronium().runWorkflow(WORKFLOW, { executionId, user });
    return { executionId: run.executionId };
  }, 202);
}
