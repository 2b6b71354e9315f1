"use client";

import type { LogLine } from "@cronium/client/browser";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { piecesOf } from "@/lib/ansi";
import type { Log } from "./useLog";

const ALL = "";

/** A live log: one tab for everything and one for each server or node. */
export function LogView({ log, choice }: { log: Log; choice?: string }) {
  const [tab, setTab] = useState(ALL);
  useEffect(() => setTab(choice ?? ALL), [choice]);
  const targets = useMemo(
    () => [...new Set(log.lines.map(({ target }) => target))].filter(Boolean).sort(),
    [log.lines],
  );
  const shown = tab === ALL ? log.lines : log.lines.filter(({ target }) => target === tab);
  const several = targets.length > 1;
  return (
    <section className="log" aria-label="Log">
      {several && (
        <div role="tablist" className="tabs">
          {[ALL, ...targets].map((name) => (
            <button key={name} role="tab" aria-selected={tab === name} onClick={() => setTab(name)}>
              {name || "All"}
            </button>
          ))}
        </div>
      )}
      <Lines lines={shown} named={several && tab === ALL} earlier={log.earlier} />
      <p className="note" role="status">
        {noteOf(log)}
      </p>
    </section>
  );
}

function noteOf(log: Log): string {
  if (log.trouble) return log.trouble;
  if (log.complete) return `${log.earlier + log.lines.length} lines, all of them.`;
  if (log.connected) return "Live.";
  return log.lines.length ? "Connection lost; trying again." : "Waiting for the first line …";
}

function Lines({ lines, named, earlier }: { lines: LogLine[]; named: boolean; earlier: number }) {
  const box = useRef<HTMLOListElement>(null);
  const [following, setFollowing] = useState(true);
  useEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, following]);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    setFollowing(scrollHeight - scrollTop - clientHeight < 40);
  };
  return (
    <ol className="lines" ref={box} onScroll={onScroll} tabIndex={0}>
      {earlier > 0 && <li className="system">{earlier} earlier lines are not shown here.</li>}
      {lines.map((line) => (
        <Line key={line.seq} line={line} named={named} />
      ))}
    </ol>
  );
}

const Line = memo(function Line({ line, named }: { line: LogLine; named: boolean }) {
  return (
    <li className={line.stream} data-seq={line.seq} title={`${line.timestamp} ${line.stream}`}>
      <span className="number">{line.seq}</span>
      {named && <span className="target">{line.target}</span>}
      <span className="text">
        {piecesOf(line.text).map(({ text, classes, style }, index) => (
          <span key={index} className={classes.join(" ")} style={style}>
            {text}
          </span>
        ))}
      </span>
    </li>
  );
});
