# One request of cronium.sh, with whatever program is there to bring it to the executor.

# In a sandbox, where all processes are the script's own, relay.pl may be started; other
# shells find it by this file.
_CRONIUM_RELAY=
_CRONIUM_FOLDER=${BASH_SOURCE[0]%/*}
if [[ $CRONIUM_API == unix:/run/cronium/* ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] > 400)); then
  _CRONIUM_RELAY=/dev/shm/.cronium-relay
fi

# _cronium_choose: sets _cronium_tool, which the caller has made local. What only brings
# bytes to a socket starts many times faster than what speaks HTTP.
_cronium_choose() {
  if [[ $CRONIUM_API == unix:* ]] && _cronium_find nc.openbsd socat; then return 0; fi
  _cronium_find curl python3 node ${_CRONIUM_RELAY:+perl}
}

# _cronium_send method path body key: one request; sets _cronium_status, _cronium_type and
# _cronium_reply. Returns 28 without an answer in time, 3 without a tool, else not 0 when
# unreachable. The token goes by way of a file descriptor, so that `ps` does not show it.
_cronium_send() {
  local LC_ALL=C _cronium_tool _cronium_head _cronium_request answer='' code=0
  if ! _cronium_choose; then
    _cronium_fail "one of curl, python3, node, nc.openbsd or socat is needed to reach the executor, or in a sandbox perl; there is none"
    return 3
  fi
  _cronium_head="Authorization: Bearer $CRONIUM_TOKEN"$'\nContent-Type: application/json'
  _cronium_head+=$'\nAccept: '${_cronium_accept:-$_CRONIUM_TEXT}
  if [[ -n $4 ]]; then _cronium_head+=$'\nIdempotency-Key: '$4; fi
  if [[ $CRONIUM_API == unix:* ]]; then
    _cronium_write_request "$1" "$2" "$3"
    if _cronium_relay; then
      if [[ $answer == late ]]; then return 28; fi
      if _cronium_parse "$answer"; then return 0; fi
    fi
    case $_cronium_tool in
      nc.openbsd | socat)
        _cronium_send_bytes
        return
        ;;
      # With nothing but the relay: it is there when the call is made again.
      perl) _cronium_tried='' && return 7 ;;
    esac
  fi
  answer=$(_cronium_send_http "$@") || code=$?
  if ((code == 0 || code == 141)); then _cronium_split "$answer"; fi
  return "$code"
}

# _cronium_write_request method path body: sets _cronium_request. It ends with a line end
# in any case: here-strings bring one, and it is white space after JSON.
_cronium_write_request() {
  _cronium_request="$1 $2 HTTP/1.1"$'\nHost: cronium\n'$_cronium_head
  if [[ -n $3 ]]; then _cronium_request+=$'\n'"Content-Length: $((${#3} + 1))"; fi
  _cronium_request=${_cronium_request//$'\n'/$'\r\n'}$'\r\n\r\n'
  if [[ -n $3 ]]; then _cronium_request+=$3$'\n'; fi
}

# _cronium_relay: sends the request by way of relay.pl and sets answer; returns not 0 when
# that is not possible. The first call finds no relay: it starts one for the next.
_cronium_relay() {
  local port size=
  # What is much too large is refused, and the relay would hang up: that ends a shell.
  if [[ -z $_CRONIUM_RELAY ]] || ((${#_cronium_request} > 2000000)); then return 1; fi
  if ! IFS=' ' read -r port _ 2>/dev/null <"$_CRONIUM_RELAY"; then
    _cronium_start_relay
    return 1
  fi
  # Whatever traps of the script print meanwhile must not be lost: 2 is as it was inside.
  {
    {
      printf '%d\n%s' "${#_cronium_request}" "$_cronium_request" >&61 &&
        IFS= read -r -t "$((_CRONIUM_WAIT + 1))" size <&61
      case $size in
        late) answer=late ;;
        [1-9]*[!0-9]* | '' | [!1-9]*) ;;
        ??????*) answer=$(command cat <&61) ;;
        *) IFS= read -r -N "$size" answer <&61 ;;
      esac
    } 2>&62
  } 62>&2 2>/dev/null 61<>"/dev/tcp/127.0.0.1/$port" || true
  if [[ -n $answer ]]; then return 0; fi
  # It may have ended, or the executor is away; what is too many ends by itself.
  _cronium_start_relay
  return 1
}

# _cronium_start_relay: neither a job of this shell nor a child, so that `jobs` and `wait`
# do not know it. A shell tries it once.
_cronium_start_relay() {
  if [[ -n ${_cronium_tried-} ]] || ! command -v perl >/dev/null 2>&1; then return 0; fi
  _cronium_tried=1
  (
    trap - ERR DEBUG
    unset PERL5OPT PERL5LIB PERL5DB
    exec </dev/null >/dev/null 2>&1
    command perl "$_CRONIUM_FOLDER/relay.pl" "${CRONIUM_API#unix:}" "$_CRONIUM_RELAY" "$_CRONIUM_WAIT" &
  ) || true
}

# _cronium_send_bytes: by a program that brings bytes to a socket and back.
_cronium_send_bytes() {
  local socket=${CRONIUM_API#unix:} begin=${SECONDS:-0} code=0 answer request
  # One request a connection: these programs end when the executor closes it.
  request=${_cronium_request/ HTTP\/1.1/ HTTP/1.0}
  request=${request%$'\n'}
  if [[ $_cronium_tool == socat ]]; then
    answer=$(printf '%s\n' "$request" | command socat -t "$_CRONIUM_WAIT" - "UNIX-CONNECT:$socket,shut-none" 2>/dev/null) || code=$?
  elif ((${#request} < 4000 && BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] > 500)); then
    # A pipe inside of bash; what is longer, or older, would need a file and room for it.
    answer=$(exec nc.openbsd -w "$_CRONIUM_WAIT" -U "$socket" 2>/dev/null <<<"$request") || code=$?
  else
    answer=$(printf '%s\n' "$request" | command nc.openbsd -w "$_CRONIUM_WAIT" -U "$socket" 2>/dev/null) || code=$?
  fi
  if _cronium_parse "$answer"; then return 0; fi
  if ((${SECONDS:-0} - begin >= _CRONIUM_WAIT - 1)); then return 28; fi
  return "$((code ? code : 52))"
}

# _cronium_parse answer: takes an answer apart that is HTTP and complete.
_cronium_parse() {
  local head=${1%%$'\r\n\r\n'*} pattern=$'[\r\n][Cc]ontent-[Ll]ength: *([0-9]+)'
  local kind=$'[\r\n][Cc]ontent-[Tt]ype: *([^\r\n]*)'
  if [[ ! $head =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]]; then return 1; fi
  _cronium_status=${BASH_REMATCH[1]}
  _cronium_type=
  if [[ $head =~ $kind ]]; then _cronium_type=${BASH_REMATCH[1]}; fi
  _cronium_reply=${1:${#head}+4}
  if [[ $head =~ $pattern ]] && ((${#_cronium_reply} != BASH_REMATCH[1])); then
    _cronium_status=
    return 1
  fi
  _cronium_unstop
}

# _cronium_split answer: takes apart a body with two lines after it, type and status.
_cronium_split() {
  local tail=$1
  if ((${#tail} > 200)); then tail=${tail: -200}; fi
  _cronium_status=${tail##*$'\n'}
  tail=${tail%$'\n'*}
  _cronium_type=${tail##*$'\n'}
  _cronium_reply=${1:0:${#1}-${#_cronium_type}-${#_cronium_status}-2}
  _cronium_unstop
}

# _cronium_unstop: drops the full stop that keeps line ends at the end of a text.
_cronium_unstop() {
  if [[ $_cronium_type == "$_CRONIUM_TEXT" ]]; then _cronium_reply=${_cronium_reply%.}; fi
}

# _cronium_send_http method path body: prints the body of the answer, and after it its type
# and its status, each on a line of its own.
_cronium_send_http() {
  local socket=${CRONIUM_API#unix:} base=$CRONIUM_API
  if [[ $CRONIUM_API == unix:* ]]; then base=http://cronium; else socket=; fi
  case $_cronium_tool in
    curl)
      # Without Expect, curl does not wait a second before it sends much.
      local head="header = \"${_cronium_head//$'\n'/$'"\nheader = "'}\""$'\nheader = "Expect:"'
      local options=(-q -s -g --max-time "$_CRONIUM_WAIT" -X "$1" -K /dev/fd/3)
      options+=(-w '\n%{content_type}\n%{http_code}')
      if [[ -n $socket ]]; then options+=(--unix-socket "$socket" --noproxy '*'); fi
      if [[ $1 != GET ]]; then options+=(--data-binary @-); fi
      printf '%s' "$3" | command curl "${options[@]}" "${base%/}$2" 3<<<"$head"
      ;;
    python3) printf '%s\n\n%s' "$_cronium_head" "$3" | command python3 -ISc "$_cronium_send_python" "$socket" "$1" "${base%/}$2" ;;
    node) printf '%s\n\n%s' "$_cronium_head" "$3" | NODE_OPTIONS='' command node -e "$_cronium_send_node" "$socket" "$1" "${base%/}$2" ;;
  esac
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
    body, kind = reply.read(), reply.getheader("Content-Type", "")
    sys.stdout.buffer.write(body + b"\n%s\n%d" % (kind.encode(), reply.status))
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
  reply.on("end", () => {
    const kind = reply.headers["content-type"] || "";
    process.stdout.write(Buffer.concat(parts) + "\n" + kind + "\n" + reply.statusCode);
  });
  reply.on("aborted", () => process.exit(7));
});
request.setTimeout(30000, () => process.exit(28));
request.on("error", () => process.exit(7));
request.end(body);
'
