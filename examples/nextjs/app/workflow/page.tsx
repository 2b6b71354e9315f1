import { History } from "@/components/History";
import { WorkflowStart } from "@/components/Workflow";

export default function Page() {
  return (
    <main>
      <WorkflowStart />
      <History />
    </main>
  );
}
