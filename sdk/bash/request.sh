# The private half of cronium.sh: requests, retries and JSON, with whatever tool is there.

_cronium_fail() {
  printf 'Error: %s\n' "$1" >&2
}

# _cronium_need function count what "$@": whether that many arguments were given.
_cronium_need() {
  if (($# - 3 < $2)); then
    _cronium_fail "$1: give $3"
    return 1
  fi
}

# --- JSON, written ----------------------------------------------------------------------

# _cronium_quote text: the text as a JSON string.
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
  printf '"%s"' "$text"
}

_cronium_number() {
  [[ ${#1} -lt 400 && $1 =~ ^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$ ]]
}

# _cronium_typed text: itself when it is JSON, otherwise quoted.
_cronium_typed() {
  # Only the beginning is looked at: trimming a megabyte of spaces takes bash minutes.
  local start=${1:0:100}
  start=${start#"${start%%[![:space:]]*}"}
  case ${start:0:1} in
    [\{\[\"]) if _cronium_valid "$1"; then printf '%s' "$1" && return; fi ;;
    [-0-9]) if _cronium_number "$1"; then printf '%s' "$1" && return; fi ;;
    [tfn]) case $1 in true | false | null) printf '%s' "$1" && return ;; esac ;;
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
    if [[ -n $part ]]; then list+=",$(_cronium_quote "$part")"; fi
  done
  printf '[%s]' "${list#,}"
}

# _cronium_escape text: sets _cronium_escaped to the text as one segment of a path.
_cronium_escape() {
  local LC_ALL=C text=$1 character index
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

# _cronium_find name...: sets _cronium_tool, which the caller has made local, to the first
# that is there. Results come by way of a variable where a subshell would cost more than
# the work.
_cronium_find() {
  for _cronium_tool; do
    if command -v "$_cronium_tool" >/dev/null 2>&1; then return 0; fi
  done
  _cronium_tool=
  return 1
}

_cronium_valid() {
  local _cronium_tool
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

# --- requests -----------------------------------------------------------------------------

# _cronium_call method path [body]: sets _cronium_status and _cronium_reply, which the
# caller has made local. A path without a leading slash is one of this execution; in it,
# {} stands for _cronium_key, the name of a variable.
_cronium_call() {
  local path=$2 _cronium_escaped waited=0 errors=0 pause=50 code answer key='' problem
  if [[ -z $CRONIUM_API ]]; then
    _cronium_fail "this needs the executor's channel, and there is none: ${CRONIUM_NO_CHANNEL:-CRONIUM_SOCKET is not set, which scripts that the executor starts have}"
    return 1
  fi
  if [[ $path == *{}* ]]; then
    _cronium_escape "${_cronium_key-}"
    path=${path/\{\}/$_cronium_escaped}
  fi
  if [[ $path != /* ]]; then
    _cronium_escape "$CRONIUM_EXEC_ID"
    path=/executions/$_cronium_escaped/$path
  fi
  # A request that is sent again because its answer was lost is done once.
  if [[ $1 != GET ]]; then _cronium_once; fi
  while :; do
    code=0
    answer=$(_cronium_send "$1" "$path" "${3:-}" "$key") || code=$?
    if ((code == 3)); then return 1; fi
    _cronium_status=${answer: -3}
    # 141: whoever refuses a body that is too large does not read all of it.
    if ((code == 0 || code == 141)) && [[ $_cronium_status == [1-9][0-9][0-9] ]]; then
      _cronium_reply=${answer:0:${#answer}-4}
      case $_cronium_status in
        502 | 503 | 504) ;;
        5??) errors=$((errors + 1)) ;;
        *) return 0 ;;
      esac
      problem=
    elif ((code == 28)); then
      waited=$((waited + 30000))
      problem="the executor did not answer within 30 s; try again later, or look at the worker's log"
    else
      problem="the executor cannot be reached at $CRONIUM_API; it was tried for up to 30 s; is the worker running?"
    fi
    waited=$((waited + pause))
    if ((errors >= 3 || waited > 30000)); then
      if [[ -z $problem ]]; then _cronium_check; else _cronium_fail "$problem"; fi
      return 1
    fi
    command sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
    pause=$((pause * 2 > 1000 ? 1000 : pause * 2))
  done
}

# _cronium_check: whether the answer is a success; says why not.
_cronium_check() {
  local message='' _cronium_tool
  if [[ $_cronium_status == 2?? ]]; then return 0; fi
  if _cronium_find jq python3 node; then
    message=$(_cronium_pick raw message "$_cronium_reply" 2>/dev/null) || message=
  fi
  _cronium_fail "API Error ($_cronium_status): ${message:-$_cronium_reply}"
  return 1
}

# _cronium_ask format pick method path [body]: prints a part of the answer.
_cronium_ask() {
  local _cronium_status _cronium_reply
  _cronium_call "$3" "$4" "${5:-}" && _cronium_check && _cronium_pick "$1" "$2" "$_cronium_reply"
}

_cronium_write() {
  local _cronium_status _cronium_reply
  _cronium_call "$@" && _cronium_check
}

# _cronium_read name file: what the executor says, or the run's own file; null is nothing.
_cronium_read() {
  local _cronium_status _cronium_reply _cronium_tool file=${CRONIUM_RUN_DIR:-}/$2
  if [[ -n $CRONIUM_API ]] && _cronium_find curl python3 node socat && _cronium_find jq python3 node; then
    _cronium_call GET "$1" && _cronium_check || return 1
    _cronium_reply=$(_cronium_pick pretty data "$_cronium_reply") || return 1
  elif [[ -r $file ]]; then
    _cronium_reply=$(<"$file")
  else
    _cronium_fail "there is neither the executor's channel nor $file, or no tool to use it (curl, python3, node, socat; jq)"
    return 1
  fi
  if [[ $_cronium_reply != null ]]; then printf '%s\n' "$_cronium_reply"; fi
}

# _cronium_request method path [body]: prints the answer. Kept for scripts that use it.
_cronium_request() {
  local _cronium_status _cronium_reply
  _cronium_call "$@" || return 1
  if [[ $1 == GET && $_cronium_status == 404 ]]; then
    echo '{"data":{"value":null}}'
    return 0
  fi
  _cronium_check && printf '%s\n' "$_cronium_reply"
}

# _cronium_once: sets key to what no other request has.
_cronium_once() {
  if ! read -r key 2>/dev/null </proc/sys/kernel/random/uuid; then
    key=$$-$BASHPID-$RANDOM$RANDOM$RANDOM$RANDOM
  fi
}

# _cronium_send method path body key: one request; prints the answer and, on a line of its
# own, the status. Returns 28 after 30 s, 3 without a tool, else not 0 when unreachable.
# The token goes by way of a file descriptor, so that `ps` and `set -x` do not show it.
_cronium_send() {
  local socket=${CRONIUM_API#unix:} base=$CRONIUM_API _cronium_tool _cronium_head
  if [[ $CRONIUM_API == unix:* ]]; then base=http://cronium; else socket=; fi
  _cronium_find curl python3 node ${socket:+socat} || true
  _cronium_headers "$4"
  case $_cronium_tool in
    curl)
      # Without Expect, curl does not wait a second before it sends much.
      local head="header = \"${_cronium_head//$'\n'/$'"\nheader = "'}\""$'\nheader = "Expect:"'
      local options=(-q -s -g --max-time 30 -X "$1" -K /dev/fd/3 -w '\n%{http_code}')
      if [[ -n $socket ]]; then options+=(--unix-socket "$socket" --noproxy '*'); fi
      if [[ $1 != GET ]]; then options+=(--data-binary @-); fi
      printf '%s' "$3" | command curl "${options[@]}" "${base%/}$2" 3<<<"$head"
      ;;
    python3) printf '%s\n\n%s' "$_cronium_head" "$3" | command python3 -ISc "$_cronium_send_python" "$socket" "$1" "${base%/}$2" ;;
    node) printf '%s\n\n%s' "$_cronium_head" "$3" | NODE_OPTIONS='' command node -e "$_cronium_send_node" "$socket" "$1" "${base%/}$2" ;;
    socat) _cronium_send_socat "$@" ;;
    *)
      _cronium_fail "one of curl, python3, node or socat is needed to reach the executor; this image has none"
      return 3
      ;;
  esac
}

# _cronium_headers key: sets _cronium_head, one header a line.
_cronium_headers() {
  _cronium_head="Authorization: Bearer $CRONIUM_TOKEN"$'\nContent-Type: application/json'
  if [[ -n $1 ]]; then _cronium_head+=$'\nIdempotency-Key: '$1; fi
}

_cronium_send_socat() {
  local LC_ALL=C head answer
  head="$1 $2 HTTP/1.0"$'\n'"Host: cronium"$'\n'"$_cronium_head"$'\n'"Content-Length: ${#3}"
  answer=$(printf '%s\r\n\r\n%s' "${head//$'\n'/$'\r\n'}" "$3" | command socat -t 30 - "UNIX-CONNECT:${CRONIUM_API#unix:}" 2>/dev/null) || return 7
  head=${answer%%$'\r\n\r\n'*}
  if [[ ! $head =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]]; then return 52; fi
  printf '%s\n%s' "${answer:${#head}+4}" "${BASH_REMATCH[1]}"
}

_cronium_send_python='
import http.client, socket, sys
from urllib.parse import urlsplit
path, method, url = sys.argv[1:]
head, _, body = sys.stdin.buffer.read().partition(b"\n\n")
headers = dict(line.split(": ", 1) for line in head.decode().split("\n"))
parts = urlsplit(url)
kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
connection = kind(parts.hostname, parts.port, timeout=30)
try:
    if path:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(path)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(method, target, body or None, headers)
    reply = connection.getresponse()
    sys.stdout.buffer.write(reply.read() + b"\n%d" % reply.status)
except socket.timeout:
    sys.exit(28)
except (OSError, http.client.HTTPException):
    sys.exit(7)
'
_cronium_send_node='
const [path, method, url] = process.argv.slice(1);
const text = require("fs").readFileSync(0, "utf8");
const cut = text.indexOf("\n\n");
const body = text.slice(cut + 2);
const headers = { "Content-Length": Buffer.byteLength(body) };
for (const line of text.slice(0, cut).split("\n")) {
  const at = line.indexOf(": ");
  headers[line.slice(0, at)] = line.slice(at + 2);
}
const options = { method, headers, ...(path ? { socketPath: path } : {}) };
const request = require(url.startsWith("https") ? "https" : "http").request(url, options, (reply) => {
  const parts = [];
  reply.on("data", (part) => parts.push(part));
  reply.on("end", () => process.stdout.write(Buffer.concat(parts) + "\n" + reply.statusCode));
  reply.on("aborted", () => process.exit(7));
});
request.setTimeout(30000, () => process.exit(28));
request.on("error", () => process.exit(7));
request.end(body);
'
