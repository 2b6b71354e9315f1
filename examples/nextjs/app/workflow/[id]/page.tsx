import { History } from "@/components/History";
import { WorkflowRun } from "@/components/Workflow";

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = decodeURIComponent((await params).id);
  return (
    <main>
      <WorkflowRun id={id} key={id} />
      <History current={id} />
    </main>
  );
}
