/** Colours and weights of terminal text as pieces that a page can show; no HTML is made. */

export interface Piece {
  text: string;
  /** Classes: `bold`, `dim`, `italic`, `underline`, `fg-0` … `fg-15`, `bg-0` … `bg-15`. */
  classes: string[];
  /** Colours that are not among the sixteen. */
  style: { color?: string; backgroundColor?: string };
}

type Colour = number | string | undefined;

interface Look {
  weight: Set<string>;
  inverse: boolean;
  front: Colour;
  back: Colour;
}

// Escape sequences (CSI, then strings such as titles, then the short ones) and stray
// control characters, also those that change the direction of text.
const CONTROL =
  // eslint-disable-next-line no-control-regex
  /\x1b\[([0-9;:]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const ON: Record<number, string> = { 1: "bold", 2: "dim", 3: "italic", 4: "underline" };
const OFF: Record<number, string[]> = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"] };

/** Cuts a line into pieces of one look each. */
export function piecesOf(line: string): Piece[] {
  const look: Look = { weight: new Set(), inverse: false, front: undefined, back: undefined };
  let pieces: Piece[] = [];
  let from = 0;
  const keep = (text: string) => text && pieces.push(piece(text, look));
  for (const found of line.replace(/\r+$/, "").matchAll(CONTROL)) {
    keep(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === "m") change(look, (found[1] ?? "").split(/[;:]/).map(Number));
    // A progress bar writes its line anew: the last one is what counts.
    else if (found[0] === "\r") pieces = [];
  }
  keep(line.slice(from).replace(/\r+$/, ""));
  return pieces;
}

/** The text alone. */
export function plain(line: string): string {
  return line.replace(CONTROL, "");
}

function change(look: Look, codes: number[]): void {
  while (codes.length) {
    const code = codes.shift() ?? 0;
    if (code === 0) {
      look.weight.clear();
      look.inverse = false;
      look.front = look.back = undefined;
    } else if (ON[code]) look.weight.add(ON[code]);
    else if (OFF[code]) OFF[code].forEach((name) => look.weight.delete(name));
    else if (code === 7 || code === 27) look.inverse = code === 7;
    else if (code === 38 || code === 39) look.front = code === 38 ? extended(codes) : undefined;
    else if (code === 48 || code === 49) look.back = code === 48 ? extended(codes) : undefined;
    else if (inRange(code, 30)) look.front = code - 30;
    else if (inRange(code, 40)) look.back = code - 40;
    else if (inRange(code, 90)) look.front = code - 82;
    else if (inRange(code, 100)) look.back = code - 92;
  }
}

const inRange = (code: number, first: number) => code >= first && code < first + 8;

function extended(codes: number[]): Colour {
  const kind = codes.shift();
  if (kind === 2) {
    const [red = 0, green = 0, blue = 0] = codes.splice(0, 3);
    return `rgb(${red}, ${green}, ${blue})`;
  }
  return kind === 5 ? indexed(codes.shift() ?? 0) : undefined;
}

/** Of the 256 colours: 16 named ones, a cube of 6 × 6 × 6, and 24 greys. */
function indexed(index: number): Colour {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const part = (divisor: number) => {
    const step = Math.floor((index - 16) / divisor) % 6;
    return step === 0 ? 0 : 55 + 40 * step;
  };
  return `rgb(${part(36)}, ${part(6)}, ${part(1)})`;
}

function piece(text: string, look: Look): Piece {
  const [front, back] = look.inverse
    ? [look.back ?? "var(--page)", look.front ?? "var(--text)"]
    : [look.front, look.back];
  const classes = [...look.weight];
  if (typeof front === "number") classes.push(`fg-${front}`);
  if (typeof back === "number") classes.push(`bg-${back}`);
  const style: Piece["style"] = {};
  if (typeof front === "string") style.color = front;
  if (typeof back === "string") style.backgroundColor = back;
  return { text, classes, style };
}
