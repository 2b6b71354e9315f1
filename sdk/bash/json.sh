# JSON for cronium.sh: written by bash itself, read with whatever tool is there.

# --- JSON, written ----------------------------------------------------------------------

# _cronium_quote text: sets _cronium_quoted, which the caller has made local, to the text
# as a JSON string. (A variable, because a subshell would cost more than the work.)
_cronium_quote() {
  local LC_ALL=C text=$1 code character
  text=${text//\\/"\\\\"}
  text=${text//\"/"\\\""}
  if [[ $text == *[[:cntrl:]]* ]]; then
    text=${text//$'\n'/"\\n"}
    text=${text//$'\t'/"\\t"}
    text=${text//$'\r'/"\\r"}
    for code in 01 02 03 04 05 06 07 08 0b 0c 0e 0f 1{0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f}; do
      printf -v character '%b' "\\x$code"
      text=${text//"$character"/"\\u00$code"}
    done
  fi
  _cronium_quoted=\"$text\"
}

# _cronium_string text: prints the text as a JSON string.
_cronium_string() {
  local _cronium_quoted
  _cronium_quote "$1"
  printf '%s' "$_cronium_quoted"
}

_cronium_number() {
  [[ ${#1} -lt 400 && $1 =~ ^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$ ]]
}

# _cronium_typed text: sets _cronium_quoted to itself when it is JSON, otherwise quoted.
_cronium_typed() {
  # Only the beginning is looked at: trimming a megabyte of spaces takes bash minutes.
  local start=${1:0:100}
  start=${start#"${start%%[![:space:]]*}"}
  case ${start:0:1} in
    [\{\[\"]) if _cronium_valid "$1"; then _cronium_quoted=$1 && return; fi ;;
    [-0-9]) if _cronium_number "$1"; then _cronium_quoted=$1 && return; fi ;;
    [tfn]) case $1 in true | false | null) _cronium_quoted=$1 && return ;; esac ;;
  esac
  _cronium_quote "$1"
}

# _cronium_list csv: an array of its trimmed parts.
_cronium_list() {
  local rest=$1, part list=
  while [[ -n $rest ]]; do
    part=${rest%%,*}
    rest=${rest#*,}
    part=${part#"${part%%[![:space:]]*}"}
    part=${part%"${part##*[![:space:]]}"}
    if [[ -n $part ]]; then list+=",$(_cronium_string "$part")"; fi
  done
  printf '[%s]' "${list#,}"
}

# _cronium_escape text: sets _cronium_escaped to the text as one segment of a path.
_cronium_escape() {
  local LC_ALL=C text=$1 character index
  _cronium_escaped=$text
  if [[ $text != *[^a-zA-Z0-9._~-]* ]]; then return 0; fi
  _cronium_escaped=
  for ((index = 0; index < ${#text}; index++)); do
    character=${text:index:1}
    case $character in
      [a-zA-Z0-9._~-]) ;;
      *) printf -v character '%%%02X' "'$character" && character=%${character: -2} ;;
    esac
    _cronium_escaped+=$character
  done
}

# --- JSON, read ---------------------------------------------------------------------------

# _cronium_scan text: whether it is JSON, without any tool; quick for what is short.
_cronium_scan() {
  local LC_ALL=C rest=$1 open='' want='value' token space=$' \t\r\n'
  while :; do
    rest=${rest#"${rest%%[!"$space"]*}"}
    if ! _cronium_token; then return 1; fi
    case "$want:$token" in
      'value:[' | 'item:[') open+="]" want='item' ;;
      'value:{' | 'item:{') open+="}" want='name' ;;
      'more:]' | 'more:}' | 'item:]' | 'name:}')
        if [[ ${open: -1} != "$token" ]]; then return 1; fi
        open=${open%?} want='more'
        ;;
      more:,) if [[ ${open: -1} == "]" ]]; then want='value'; else want='key'; fi ;;
      key:text | name:text) want='colon' ;;
      colon::) want='value' ;;
      value:text | item:text | value:other | item:other) want='more' ;;
      *) return 1 ;;
    esac
    if [[ -z $open ]]; then break; fi
  done
  [[ $want == more && $rest != *[!$space]* ]]
}

# _cronium_token: takes one token of JSON from rest: a sign, text or other. Regular
# expressions are slow in bash; most tokens need none.
_cronium_token() {
  local pattern=$'^"([^"\\\\\x01-\x1f]|\\\\(["\\\\/bfnrt]|u[0-9A-Fa-f]{4}))*"'
  token=${rest:0:1}
  case $token in
    '[' | ']' | '{' | '}' | : | ,) rest=${rest:1} ;;
    \")
      token=${rest:1}
      token=${token%%\"*}
      if [[ $token == *[\\$'\x01'-$'\x1f']* || $rest != "\"$token\""* ]]; then
        if [[ ! $rest =~ $pattern ]]; then return 1; fi
        rest=${rest:${#BASH_REMATCH[0]}}
      else
        rest=${rest:${#token}+2}
      fi
      token=text
      ;;
    *)
      token=${rest%%[]\}:,"$space"]*}
      rest=${rest:${#token}}
      case $token in
        true | false | null | 0) ;;
        [1-9]*) [[ $token != *[!0-9]* ]] || _cronium_number "$token" || return 1 ;;
        *) _cronium_number "$token" || return 1 ;;
      esac
      token=other
      ;;
  esac
}

# _cronium_valid text: whether it is JSON.
_cronium_valid() {
  local _cronium_tool
  if ((${#1} <= 400)); then
    _cronium_scan "$1"
    return
  fi
  _cronium_find jq python3 node || return 0
  printf '%s' "$1" | case $_cronium_tool in
    jq) command jq -es 'length == 1' ;;
    python3) command python3 -ISc 'import json, sys; json.loads(sys.stdin.buffer.read())' ;;
    node) NODE_OPTIONS='' command node -e 'JSON.parse(require("fs").readFileSync(0, "utf8"))' ;;
  esac >/dev/null 2>&1
}

# _cronium_pick format path text: a part of the JSON; text without quotes unless the format
# is pretty. With the format raw, null is nothing. (By a pipe: a here-string of a megabyte
# would need room in /tmp.)
_cronium_pick() {
  local _cronium_tool
  if ! _cronium_find jq python3 node; then
    _cronium_fail "one of jq, python3 or node is needed to read the answer"
    return 1
  fi
  printf '%s' "$3" | case $_cronium_tool in
    jq)
      command jq -r --arg format "$1" --arg path "$2" '
        reduce ($path / "." | .[] | select(. != "")) as $key (.;
          if type == "array" then .[$key | tonumber? // -1]
          elif type == "object" then .[$key] else null end)
        | if $format == "pretty" then if type == "string" then tojson else . end
          elif type == "string" then .
          elif . == null and $format == "raw" then empty
          else tojson end'
      ;;
    python3) command python3 -ISc "$_cronium_pick_python" "$1" "$2" ;;
    node) NODE_OPTIONS='' command node -e "$_cronium_pick_node" "$1" "$2" ;;
  esac
}

_cronium_pick_python='
import json, sys
form, path = sys.argv[1:]
value = json.loads(sys.stdin.buffer.read())
for key in filter(None, path.split(".")):
    if isinstance(value, list):
        value = value[int(key)] if key.isdigit() and int(key) < len(value) else None
    else:
        value = value.get(key) if isinstance(value, dict) else None
if isinstance(value, str) and form != "pretty":
    text = value
elif value is None and form == "raw":
    sys.exit()
elif form == "pretty":
    text = json.dumps(value, indent=2, ensure_ascii=False)
else:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
'
_cronium_pick_node='
const [form, path] = process.argv.slice(1);
let value = JSON.parse(require("fs").readFileSync(0, "utf8"));
for (const key of path.split(".").filter(Boolean)) {
  const has = value !== null && typeof value === "object" && Object.prototype.hasOwnProperty.call(value, key);
  value = has ? value[key] : null;
}
if (typeof value === "string" && form !== "pretty") console.log(value);
else if (value !== null || form !== "raw") console.log(JSON.stringify(value, null, form === "pretty" ? 2 : 0));
'
