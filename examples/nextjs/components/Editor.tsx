"use client";

import { PayloadValidationError, check, validators } from "@cronium/client/browser";
import { useRouter } from "next/navigation";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Refusal, startRun } from "@/lib/api";
import { STARTERS, type Language } from "@/lib/starters";

/** A form for one event; what does not fit is said beside the form, by field. */
export function Editor({ servers }: { servers: string[] }) {
  const router = useRouter();
  const [language, setLanguage] = useState<Language>("bash");
  const [script, setScript] = useState(STARTERS.bash);
  const [faults, setFaults] = useState<string[]>([]);
  // Until React has the form, the browser itself would send it, script and all, as an address.
  const [busy, setBusy] = useState(true);
  useEffect(() => setBusy(false), []);
  // The same form started twice is one run; a form that was changed is another.
  const executionId = useRef(crypto.randomUUID());

  const choose = (next: Language) => {
    if (script === STARTERS[language]) setScript(STARTERS[next]);
    setLanguage(next);
  };
  const run = async (form: FormEvent<HTMLFormElement>) => {
    form.preventDefault();
    const fields = new FormData(form.currentTarget);
    setBusy(true);
    try {
      const event = check(validators.EventSpec, eventOf(fields, language, script));
      const order = { executionId: executionId.current, event, input: inputOf(fields) };
      await startRun({ ...order, servers: fields.getAll("server") });
      router.push(`/runs/${executionId.current}`);
    } catch (error) {
      setFaults(faultsOf(error));
      setBusy(false);
    }
  };
  return (
    <form
      className="editor"
      aria-label="Event"
      onSubmit={run}
      onChange={() => (executionId.current = crypto.randomUUID())}
    >
      <label>
        Name
        <input name="name" defaultValue="My event" required maxLength={100} />
      </label>
      <label>
        Language
        <select value={language} onChange={({ target }) => choose(target.value as Language)}>
          <option value="bash">Bash</option>
          <option value="python">Python</option>
          <option value="nodejs">Node.js</option>
        </select>
      </label>
      <label>
        Timeout in seconds
        <input name="timeout" type="number" defaultValue={60} min={1} />
      </label>
      <label>
        Retries
        <input name="retries" type="number" defaultValue={0} min={0} />
      </label>
      <label className="wide">
        Script
        <textarea
          name="script"
          rows={12}
          spellCheck={false}
          value={script}
          onChange={({ target }) => setScript(target.value)}
        />
      </label>
      <label className="wide">
        Input (JSON)
        <input name="input" defaultValue="{}" spellCheck={false} />
      </label>
      {servers.length > 0 && (
        <fieldset className="wide">
          <legend>Servers (none: a container)</legend>
          {servers.map((name) => (
            <label key={name}>
              <input type="checkbox" name="server" value={name} /> {name}
            </label>
          ))}
        </fieldset>
      )}
      {faults.length > 0 && (
        <ul className="faults wide" role="alert">
          {faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
      <button className="primary" disabled={busy}>
        {busy ? "Starting …" : "Run"}
      </button>
    </form>
  );
}

function eventOf(fields: FormData, type: Language, script: string) {
  return {
    id: "nextjs-editor",
    name: String(fields.get("name")),
    type,
    script,
    timeoutSeconds: Number(fields.get("timeout")),
    retries: Number(fields.get("retries")),
  };
}

function inputOf(fields: FormData): unknown {
  try {
    return JSON.parse(String(fields.get("input") || "null"));
  } catch {
    throw new PayloadValidationError([{ path: "input", message: "not valid JSON" }]);
  }
}

function faultsOf(error: unknown): string[] {
  if (error instanceof PayloadValidationError || (error instanceof Refusal && error.problems.length))
    return error.problems.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return [error instanceof Error ? error.message : String(error)];
}
