"use client";

import { useEffect, useRef } from "react";

/** Does something now and every so often, while `active`; never twice at a time. */
export function useEvery(ms: number, work: () => Promise<void>, active = true): void {
  const newest = useRef(work);
  newest.current = work;
  useEffect(() => {
    if (!active) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    const turn = async () => {
      // A failed look is no news: the next one comes soon.
      await newest.current().catch(() => undefined);
      if (!left) timer = setTimeout(turn, ms);
    };
    void turn();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [ms, active]);
}
