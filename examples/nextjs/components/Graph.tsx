"use client";

import { useMemo } from "react";
import { BOX, type Placed, placed } from "@/lib/layout";
import type { Drawn } from "@/lib/workflow";

interface Props {
  nodes: Drawn[];
  /** Statuses by node; a node without one has not begun. */
  statuses: Record<string, string>;
  chosen?: string | undefined;
  onChoose?: (node: string) => void;
}

/** A workflow as a picture whose nodes take the colours of their statuses. */
export function Graph({ nodes, statuses, chosen, onChoose }: Props) {
  const { nodes: boxes, width, height } = useMemo(() => placed(nodes), [nodes]);
  const byId = new Map(boxes.map((box) => [box.id, box]));
  return (
    <div className="graph" role="group" aria-label="Workflow">
      <svg viewBox={`-2 -2 ${width + 4} ${height + 4}`} style={{ minWidth: width / 1.6 }}>
        {boxes.flatMap((box) =>
          box.after.map((before) => (
            <path key={`${before}-${box.id}`} className="edge" d={curve(byId.get(before)!, box)} />
          )),
        )}
        {boxes.map(({ id, x, y }) => (
          <g
            key={id}
            className="node"
            data-node={id}
            data-status={statuses[id] ?? "PENDING"}
            aria-current={chosen === id}
            role="button"
            tabIndex={0}
            transform={`translate(${x} ${y})`}
            onClick={() => onChoose?.(id)}
            onKeyDown={({ key }) => key === "Enter" && onChoose?.(id)}
          >
            <title>{`${id}: ${statuses[id] ?? "PENDING"}`}</title>
            <rect {...BOX} rx={8} />
            <text x={BOX.width / 2} y={BOX.height / 2}>
              {id}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

function curve(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  const middle = (x1 + x2) / 2;
  return `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
}
