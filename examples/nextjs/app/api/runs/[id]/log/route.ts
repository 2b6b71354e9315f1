import { answer } from "@/lib/answers";
import { cronium } from "@/lib/cronium";
import { ownRun } from "@/lib/runs";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

const TOKEN_SECONDS = 300;

/** Where the page can follow this one log, and a token that is good for nothing else. */
export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }) {
  return answer(async () => {
    const { executionId } = await ownRun((await params).id);
    return cronium().logAccess(executionId, TOKEN_SECONDS);
  });
}
