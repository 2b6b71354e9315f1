import { History } from "@/components/History";
import { Run } from "@/components/Run";

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = decodeURIComponent((await params).id);
  return (
    <main>
      <Run id={id} key={id} />
      <History current={id} />
    </main>
  );
}
