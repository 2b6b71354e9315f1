import { Editor } from "@/components/Editor";
import { History } from "@/components/History";
import { knownServers } from "@/lib/servers";

export const dynamic = "force-dynamic";

export default function Page() {
  return (
    <main>
      <Editor servers={knownServers().map(({ name }) => name)} />
      <History />
    </main>
  );
}
