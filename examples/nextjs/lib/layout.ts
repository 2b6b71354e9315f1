/** Places the nodes of a graph in columns: each stands right of all that comes before it. */

import type { Drawn } from "./workflow";

export interface Placed extends Drawn {
  x: number;
  y: number;
}

export const BOX = { width: 110, height: 40 };
const GAP = { x: 60, y: 24 };

/** Returns the nodes with their places, and how large the picture is. */
export function placed(nodes: Drawn[]): { nodes: Placed[]; width: number; height: number } {
  const columns = new Map<string, number>();
  const columnOf = (id: string): number => {
    const known = columns.get(id);
    if (known !== undefined) return known;
    const before = nodes.find((node) => node.id === id)?.after ?? [];
    const column = before.length ? Math.max(...before.map(columnOf)) + 1 : 0;
    columns.set(id, column);
    return column;
  };
  const sizes = new Map<number, number>();
  for (const { id } of nodes) sizes.set(columnOf(id), (sizes.get(columnOf(id)) ?? 0) + 1);
  const rows = Math.max(...sizes.values());
  const used = new Map<number, number>();
  const found = nodes.map((node) => {
    const column = columnOf(node.id);
    const row = used.get(column) ?? 0;
    used.set(column, row + 1);
    const above = (rows - (sizes.get(column) ?? 0)) / 2;
    return {
      ...node,
      x: column * (BOX.width + GAP.x),
      y: (above + row) * (BOX.height + GAP.y),
    };
  });
  return {
    nodes: found,
    width: sizes.size * (BOX.width + GAP.x) - GAP.x,
    height: rows * (BOX.height + GAP.y) - GAP.y,
  };
}
