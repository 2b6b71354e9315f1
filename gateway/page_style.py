"""The style of the log page: dark, or light for those who ask their browser for it."""

STYLE = """
:root { color-scheme: dark light;
  --page: #14161a; --bar: #1d2026; --edge: #30343c; --text: #d7dae0; --faint: #8b929e;
  --error: #2a1719; --bad: #e5534b; --good: #57ab5a; --notice: #8ab4f8;
  --on-ansi: #14161a;
  --ansi-0: #6e7681; --ansi-1: #f47067; --ansi-2: #6bc46d; --ansi-3: #daaa3f;
  --ansi-4: #6cb6ff; --ansi-5: #dcbdfb; --ansi-6: #56d4dd; --ansi-7: #cdd9e5;
  --ansi-8: #8b949e; --ansi-9: #ff938a; --ansi-10: #8ddb8c; --ansi-11: #eac55f;
  --ansi-12: #96d0ff; --ansi-13: #eedcff; --ansi-14: #b3f0ff; --ansi-15: #ffffff; }
@media (prefers-color-scheme: light) { :root {
  --page: #ffffff; --bar: #f3f5f8; --edge: #d0d7de; --text: #1f2328; --faint: #656d76;
  --error: #fff0ee; --bad: #cf222e; --good: #1a7f37; --notice: #0a53be;
  --on-ansi: #ffffff;
  --ansi-0: #24292f; --ansi-1: #c21f2b; --ansi-2: #116329; --ansi-3: #7d5300;
  --ansi-4: #0969da; --ansi-5: #8250df; --ansi-6: #1b6f77; --ansi-7: #5c656e;
  --ansi-8: #57606a; --ansi-9: #a40e26; --ansi-10: #1a7f37; --ansi-11: #633c01;
  --ansi-12: #0550ae; --ansi-13: #6639ba; --ansi-14: #0f5a61; --ansi-15: #6e7781; } }
body { margin: 0; background: var(--page); color: var(--text);
  font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace;
  display: flex; flex-direction: column; height: 100vh; height: 100dvh; }
header { display: flex; flex-wrap: wrap; gap: .3em 1em; align-items: center;
  padding: .5em 1em; background: var(--bar); border-bottom: 1px solid var(--edge); }
label, button { font: inherit; white-space: nowrap; }
label { display: flex; align-items: center; }
#name { overflow-wrap: anywhere; }
#note { flex: 1; color: var(--faint); }
#earlier { padding: .3em 1em; color: var(--faint); background: var(--bar); }
#log { flex: 1; overflow: auto; padding: .5em 0; outline-offset: -2px; }
.line { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 1em 0 6em;
  min-height: 1.45em; position: relative; unicode-bidi: isolate; }
.line:hover { background: var(--bar); }
.number { position: absolute; left: 0; width: 5em; text-align: right;
  font-style: normal; color: var(--faint); user-select: none; }
.source { color: var(--faint); user-select: none; }
.stderr { background: var(--error); box-shadow: inset 3px 0 var(--bad); }
.system { color: var(--notice); font-style: italic; }
.line.error { color: var(--bad); } .line.warning { color: var(--ansi-3); }
#progress { width: 8em; }
.bold { font-weight: bold; } .dim { opacity: .65; } .italic { font-style: italic; }
.underline { text-decoration: underline; }
[data-final="SUCCESS"] { color: var(--good); }
[data-final="FAILURE"], [data-final="TIMEOUT"], [data-final="LOST"],
[data-final="CANCELLED"], [data-final="PARTIAL"] { color: var(--bad); }
@media (max-width: 600px) {
  header { padding: .5em; }
  #status { margin-right: auto; }
  #note { flex-basis: 100%; order: 1; }
  .line { padding: 0 .5em 0 4.2em; font-size: 12px; }
  .number { width: 3.7em; } }
"""
