import { answer } from "@/lib/answers";
import { ownRun } from "@/lib/runs";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

interface Context {
  params: Promise<{ id: string }>;
}

/** Where a run stands, with its result once it is over. */
export async function GET(_request: Request, { params }: Context) {
  return answer(async () => (await ownRun((await params).id)).status());
}

/** Cancels a run. */
export async function DELETE(_request: Request, { params }: Context) {
  return answer(async () => {
    await (await ownRun((await params).id)).cancel();
    return {};
  }, 202);
}
