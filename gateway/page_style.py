"""The style of the log page."""

STYLE = """
:root { color-scheme: dark; }
body { margin: 0; background: #14161a; color: #d7dae0;
  font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace;
  display: flex; flex-direction: column; height: 100vh; }
header { display: flex; gap: 1em; align-items: center; padding: .5em 1em;
  background: #1d2026; border-bottom: 1px solid #30343c; }
#note { flex: 1; color: #9aa1ad; }
#log { flex: 1; overflow: auto; padding: .5em 0; outline-offset: -2px; }
.line { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 1em;
  unicode-bidi: isolate; }
.line:hover { background: #1d2026; }
.number { display: inline-block; min-width: 5em; padding-right: 1em; color: #7d8590;
  user-select: none; }
.source { color: #7d8590; user-select: none; }
.stderr { background: #2a1719; box-shadow: inset 3px 0 #e5534b; }
.system { color: #8ab4f8; font-style: italic; }
.bold { font-weight: bold; } .dim { opacity: .65; } .italic { font-style: italic; }
.underline { text-decoration: underline; } .inverse { filter: invert(1); }
[data-final="SUCCESS"] { color: #57ab5a; }
[data-final="FAILURE"], [data-final="TIMEOUT"], [data-final="LOST"],
[data-final="CANCELLED"], [data-final="PARTIAL"] { color: #e5534b; }
"""
