/** When the clocks of a time zone change, and which hours of the day that touches. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const QUARTER = HOUR / 4;
// As far as `cronium schedule` looks ahead as well.
const YEARS = 10;
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d))?(?::\d\d)?$/;

/** The hours of the day, 0 to 23, that clocks show shortly before or after a change. */
export function hoursOfChange(zone: string, now = new Date()): Set<number> {
  const offsetAt = offsets(zone);
  const begin = Date.UTC(now.getUTCFullYear() - 1, 0, 1);
  const hours = new Set<number>();
  for (let day = begin; day < Date.UTC(now.getUTCFullYear() - 1 + YEARS, 0, 1); day += DAY) {
    const before = offsetAt(day);
    const after = offsetAt(day + DAY);
    if (before !== after) for (const hour of around(day, before, after, offsetAt)) hours.add(hour);
  }
  return hours;
}

/** Whether it is a zone that is known here. */
export function isZone(zone: string): boolean {
  try {
    offsets(zone);
    return true;
  } catch {
    return false;
  }
}

type OffsetAt = (at: number) => number;

/** Tells the offset from UTC at an instant, both in milliseconds. */
function offsets(zone: string): OffsetAt {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  return (at) => {
    const [, sign, hours, minutes] = OFFSET.exec(format.format(at)) ?? [];
    const size = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
    return sign === "-" ? -size : size;
  };
}

/** The hours around the change of one day, those that no clock shows among them. */
function around(day: number, before: number, after: number, offsetAt: OffsetAt): Set<number> {
  let [low, high] = [day, day + DAY];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  const reach = Math.abs(after - before) + HOUR;
  const hours = new Set<number>();
  for (let at = high - reach; at < high + reach; at += QUARTER)
    hours.add(hourOf(at + (at < high ? before : after)));
  for (let shown = high + before; shown < high + after; shown += QUARTER) hours.add(hourOf(shown));
  return hours;
}

function hourOf(shown: number): number {
  return new Date(shown).getUTCHours();
}
