# One request of cronium.sh, with whatever program is there to bring it to the executor.

# _cronium_choose: sets _cronium_tool, which the caller has made local. What only brings
# bytes to a socket starts many times faster than what speaks HTTP.
_cronium_choose() {
  if [[ $CRONIUM_API == unix:* ]] && _cronium_find nc.openbsd socat; then return 0; fi
  _cronium_find curl python3 node
}

# _cronium_send method path body key: one request; sets _cronium_status, _cronium_type and
# _cronium_reply. Returns 28 without an answer in time, 3 without a tool, else not 0 when
# unreachable. The token goes by way of a file descriptor, so that `ps` does not show it.
_cronium_send() {
  local LC_ALL=C _cronium_tool _cronium_head answer code=0
  if ! _cronium_choose; then
    _cronium_fail "one of curl, python3, node, nc.openbsd or socat is needed to reach the executor; this image has none"
    return 3
  fi
  _cronium_head="Authorization: Bearer $CRONIUM_TOKEN"$'\nContent-Type: application/json'
  _cronium_head+=$'\nAccept: '${_cronium_accept:-$_CRONIUM_TEXT}
  if [[ -n $4 ]]; then _cronium_head+=$'\nIdempotency-Key: '$4; fi
  case $_cronium_tool in
    nc.openbsd | socat) _cronium_send_bytes "$@" ;;
    *)
      answer=$(_cronium_send_http "$@") || code=$?
      if ((code == 0 || code == 141)); then _cronium_split "$answer"; fi
      return "$code"
      ;;
  esac
}

# _cronium_send_bytes method path body: HTTP by hand. The request ends with a line end in
# any case: here-strings bring one, and it is part of the head, or white space after JSON.
_cronium_send_bytes() {
  local socket=${CRONIUM_API#unix:} begin=${SECONDS:-0} code=0 answer request
  request="$1 $2 HTTP/1.0"$'\nHost: cronium\n'$_cronium_head
  if [[ $1 == GET ]]; then
    request=${request//$'\n'/$'\r\n'}$'\r\n\r'
  else
    request+=$'\n'"Content-Length: $((${#3} + 1))"
    request=${request//$'\n'/$'\r\n'}$'\r\n\r\n'$3
  fi
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
  return $((code ? code : 52))
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
