import { RequestRefused } from "@cronium/client";
import { answer, bodyOf } from "@/lib/answers";
import { ownRun } from "@/lib/runs";
import { currentUser } from "@/lib/user";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

interface Verdict {
  node: string;
  approved: boolean;
}

/** Says yes or no to a node that waits for it. */
export async function POST(request: Request, { params }: { params: Promise<{ id: string }> }) {
  return answer(async () => {
    const { node, approved } = await bodyOf<Verdict>(request);
    const run = await ownRun((await params).id);
    if (run.kind !== "workflow") throw new RequestRefused("only workflows have approvals");
    const said = { by: await currentUser() };
    await (approved ? run.approve(node, said) : run.reject(node, said));
    return {};
  });
}
