"""The script of the log page: a reader with a cursor, and a careful ANSI painter.

Text enters the page through `textContent` alone. Of all control sequences only colours
and weights (SGR) have an effect; everything else is taken out before it is shown.
"""

SCRIPT = r"""
"use strict";
(() => {
  const KEPT_LINES = 5000;
  const [, base, encodedId] = location.pathname.match(/^(.*)\/logs\/([^/]+)\/?$/) || [];
  const id = encodedId ? decodeURIComponent(encodedId) : "";
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  const at = (name) => document.getElementById(name);
  const log = at("log"), note = at("note"), follow = at("follow");
  let nextSeq = 1, delay = 500, over = false;

  at("name").textContent = id;
  document.title = "Log " + id;

  // --- ANSI -------------------------------------------------------------------
  // CSI with its parameters and final byte | OSC, DCS, SOS, PM, APC up to their end |
  // any other escape | stray control characters and invisible direction changes.
  const CONTROL = new RegExp(
    "(?:\\x1b\\[|\\x9b)([0-?]*)[ -/]*([@-~])" +
    "|(?:\\x1b[\\]PX^_]|[\\x9d\\x90\\x98\\x9e\\x9f])" +
    "[^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c|$)" +
    "|\\x1b[ -/]*[0-~]?" +
    "|[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f" +
    "\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]", "g");

  // The sixteen basic colours are the style's, who knows whether the page is light.
  const ansi = (n) => `var(--ansi-${n})`;

  function indexed(n) {
    if (n < 16) return ansi(n);
    if (n > 231) { const v = 8 + 10 * (n - 232); return `rgb(${v},${v},${v})`; }
    const level = (v) => (v ? 55 + 40 * v : 0), m = n - 16;
    const red = level(Math.floor(m / 36)), green = level(Math.floor(m / 6) % 6);
    return `rgb(${red},${green},${level(m % 6)})`;
  }

  function extended(codes) {
    const byte = () => Math.min(255, Math.max(0, codes.shift() | 0));
    const kind = codes.shift();
    if (kind === 5) return indexed(byte());
    if (kind === 2) return `rgb(${byte()},${byte()},${byte()})`;
    return "";
  }

  function applyCodes(style, parameters) {
    const codes = parameters.split(/[;:]/).map(Number);
    while (codes.length) {
      const code = codes.shift();
      if (!code) for (const key of Object.keys(style)) delete style[key];
      else if (code === 1) style.bold = true;
      else if (code === 2) style.dim = true;
      else if (code === 3) style.italic = true;
      else if (code === 4) style.underline = true;
      else if (code === 7) style.inverse = true;
      else if (code === 22) { delete style.bold; delete style.dim; }
      else if (code === 23) delete style.italic;
      else if (code === 24) delete style.underline;
      else if (code === 27) delete style.inverse;
      else if (code >= 30 && code <= 37) style.color = ansi(code - 30);
      else if (code === 38) style.color = extended(codes);
      else if (code === 39) delete style.color;
      else if (code >= 40 && code <= 47) style.background = ansi(code - 40);
      else if (code === 48) style.background = extended(codes);
      else if (code === 49) delete style.background;
      else if (code >= 90 && code <= 97) style.color = ansi(code - 82);
      else if (code >= 100 && code <= 107) style.background = ansi(code - 92);
    }
  }

  function readableOn(background) {
    const rgb = background.match(/\d+/g);
    if (background === "var(--text)") return "var(--page)";
    if (!background.startsWith("rgb")) return "var(--on-ansi)";
    return rgb[0] * 0.3 + rgb[1] * 0.59 + rgb[2] * 0.11 > 130 ? "#000000" : "#ffffff";
  }

  function span(text, style) {
    const element = document.createElement("span");
    element.textContent = text;
    for (const name of ["bold", "dim", "italic", "underline"])
      if (style[name]) element.classList.add(name);
    let { color, background } = style;
    if (style.inverse) [color, background] = [background, color || "var(--text)"];
    if (background && (!color || color === ansi(0))) color = readableOn(background);
    if (color) element.style.color = color;
    if (background) element.style.backgroundColor = background;
    return element;
  }

  function paint(line, into) {
    const style = {}, text = line.replace(/\r+$/, "");
    let from = 0, shown = [];
    for (const match of text.matchAll(CONTROL)) {
      if (match.index > from) shown.push(span(text.slice(from, match.index), style));
      if (match[2] === "m" && /^[0-9;:]*$/.test(match[1])) applyCodes(style, match[1]);
      // A progress bar rewrites its line: what a person would see last is kept.
      if (match[0] === "\r") shown = [];
      from = match.index + match[0].length;
    }
    if (from < text.length) shown.push(span(text.slice(from), style));
    into.append(...shown);
  }

  // --- lines ------------------------------------------------------------------
  function lineElement(line) {
    const element = document.createElement("div");
    element.className = "line";
    if (line.stream === "stderr" || line.stream === "system")
      element.classList.add(line.stream);
    const level = line.data && line.data.level;
    if (level === "error" || level === "warning") element.classList.add(level);
    element.title = line.timestamp + " " + line.stream;
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = line.seq;
    element.append(number);
    if (line.target !== "local") {
      const source = document.createElement("span");
      source.className = "source";
      source.textContent = line.target + " | ";
      element.append(source);
    }
    paint(line.text, element);
    return element;
  }

  function show(lines) {
    const fragment = document.createDocumentFragment();
    for (const line of lines.slice(-KEPT_LINES)) {
      if (line.seq < nextSeq) continue;
      const progress = line.data && line.data.progress;
      if (progress) showProgress(progress);
      else fragment.append(lineElement(line));
    }
    if (lines.length) nextSeq = Math.max(nextSeq, lines[lines.length - 1].seq + 1);
    log.append(fragment);
    if (log.childElementCount > KEPT_LINES) {
      while (log.childElementCount > KEPT_LINES) log.firstElementChild.remove();
      const last = log.firstElementChild.firstElementChild.textContent - 1;
      at("earlier").hidden = false;
      at("earlier").textContent =
        `Lines 1 to ${last} are not shown here; Download has them.`;
    }
    if (follow.checked) log.scrollTop = log.scrollHeight;
  }

  function showProgress({ fraction, text }) {
    at("progress").hidden = false;
    if (typeof fraction === "number") at("progress").value = fraction;
    else at("progress").removeAttribute("value");
    at("step").textContent = text.replace(CONTROL, "");
  }

  function showStatus(status) {
    at("status").textContent = status;
    at("status").dataset.final = status;
  }

  // --- connection -------------------------------------------------------------
  const receive = {
    lines: (message) => show(message.lines),
    status: (message) => showStatus(message.status),
    end: (message) => {
      over = true;
      showStatus(message.status);
      note.textContent = message.complete ? "" : "Some lines have not arrived.";
    },
    cutoff: (message) => { nextSeq = message.resumeFrom; },
  };

  function connect() {
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const address = scheme + location.host + base + "/executions/" +
      encodeURIComponent(id) + "/logs?fromSeq=" + nextSeq;
    const socket = new WebSocket(address, ["cronium.logs.v1", "bearer." + token]);
    socket.onopen = () => { note.textContent = ""; };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      delay = 500;
      if (Object.hasOwn(receive, message.type)) receive[message.type](message);
    };
    socket.onclose = (event) => {
      if (over || event.code === 1000) return;
      if (event.code === 4401 || event.code === 4404) {
        note.textContent = event.reason || "This log cannot be shown.";
        return;
      }
      note.textContent = "Connection lost; trying again.";
      setTimeout(connect, delay * (0.5 + Math.random()));
      delay = Math.min(delay * 2, 15000);
    };
  }

  log.addEventListener("scroll", () => {
    follow.checked = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  follow.addEventListener("change", () => {
    if (follow.checked) log.scrollTop = log.scrollHeight;
  });
  at("download").addEventListener("click", async () => {
    const address = base + "/api/executions/" + encodeURIComponent(id) + "/log.txt";
    const headers = { Authorization: "Bearer " + token };
    const answer = await fetch(address, { headers });
    if (!answer.ok) { note.textContent = "The download failed."; return; }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = id.replace(/[^A-Za-z0-9._-]/g, "_") + ".log.txt";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  if (!id) note.textContent = "The address has no execution id.";
  else if (token) connect();
  else note.textContent =
    "This address has no token: `cronium logs ID --link` prints one that has.";
})();
"""
