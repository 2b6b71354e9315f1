# The private half of cronium.sh: calls, their retries and what is printed of an answer.

# What a shell can print as it is; other answers are JSON.
_CRONIUM_TEXT=text/x-cronium
# Seconds that a call may wait for one answer; also for an executor that is away, where
# CRONIUM_OUTAGE_SECONDS does not say how long.
_CRONIUM_WAIT=30

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

# _cronium_call method path [body]: sets _cronium_status, _cronium_type and _cronium_reply,
# which the caller has made local. A path without a leading slash is one of this execution;
# in it, {} stands for _cronium_key, the name of a variable. Where _cronium_else, a
# file, would do as well, it returns 7 when nobody was reached.
_cronium_call() {
  local code=0
  if [[ $- == *x* ]]; then
    # A trace would show the token.
    { set +x; } 2>/dev/null
    _cronium_try "$@" || code=$?
    set -x
    return "$code"
  fi
  _cronium_try "$@"
}

_cronium_try() {
  local path=$2 _cronium_escaped waited=0 errors=0 pause=50 code key='' problem
  local outage=${CRONIUM_OUTAGE_SECONDS-}
  case $outage in '' | 0* | *[!0-9]*) outage=$_CRONIUM_WAIT ;; esac
  # Nothing is won by a longer wait where a file says the same.
  if [[ -n ${_cronium_else-} ]] && ((outage > _CRONIUM_WAIT)); then outage=$_CRONIUM_WAIT; fi
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
    _cronium_status=
    _cronium_send "$1" "$path" "${3:-}" "$key" || code=$?
    if ((code == 3)); then return 1; fi
    # 141: whoever refuses a body that is too large does not read all of it.
    if ((code == 0 || code == 141)) && [[ $_cronium_status == [1-9][0-9][0-9] ]]; then
      case $_cronium_status in
        502 | 503 | 504) ;;
        5??) errors=$((errors + 1)) ;;
        *) return 0 ;;
      esac
      problem=
    elif ((code == 28)); then
      waited=$((waited + _CRONIUM_WAIT * 1000))
      problem="the executor did not answer within $_CRONIUM_WAIT s; try again later, or look at the worker's log"
    else
      problem="the executor cannot be reached at $CRONIUM_API; it was tried for up to $outage s; is the worker running?"
    fi
    waited=$((waited + pause))
    if ((errors >= 3 || waited > outage * 1000)); then
      if [[ -n ${_cronium_else-} && -n $problem ]] && ((code != 28)); then return 7; fi
      if [[ -z $problem ]]; then _cronium_check; else _cronium_fail "$problem"; fi
      return 1
    fi
    command sleep "$(printf '%d.%03d' "$((pause / 1000))" "$((pause % 1000))")"
    pause=$((pause * 2 > 1000 ? 1000 : pause * 2))
  done
}

# _cronium_once: sets key to what no other request has.
_cronium_once() {
  if ! read -r key 2>/dev/null </proc/sys/kernel/random/uuid; then
    key=$$-$BASHPID-$RANDOM$RANDOM$RANDOM$RANDOM
  fi
}

# _cronium_check: whether the answer is a success; says why not.
_cronium_check() {
  local message='' _cronium_tool
  if [[ $_cronium_status == 2?? ]]; then return 0; fi
  if [[ $_cronium_type != "$_CRONIUM_TEXT" ]] && _cronium_find jq python3 node; then
    message=$(_cronium_pick raw message "$_cronium_reply" 2>/dev/null) || message=
  fi
  _cronium_fail "API Error ($_cronium_status): ${message:-$_cronium_reply}"
  return 1
}

# _cronium_print format pick: a part of the answer. The executor has picked it already if
# the answer is text.
_cronium_print() {
  if [[ $_cronium_type == "$_CRONIUM_TEXT" ]]; then
    printf '%s\n' "$_cronium_reply"
  else
    _cronium_pick "$1" "$2" "$_cronium_reply"
  fi
}

# _cronium_ask format pick method path [body]: prints a part of the answer.
_cronium_ask() {
  local _cronium_status _cronium_type _cronium_reply
  _cronium_call "$3" "$4" "${5:-}" && _cronium_check && _cronium_print "$1" "$2"
}

_cronium_write() {
  local _cronium_status _cronium_type _cronium_reply
  _cronium_call "$@" && _cronium_check
}

# _cronium_read name file: what the executor says, or the run's own file; null is nothing.
_cronium_read() {
  local _cronium_status _cronium_type='' _cronium_reply=null file=${CRONIUM_RUN_DIR:-}/$2
  local _cronium_tool _cronium_else='' code=0
  if [[ -r $file ]]; then _cronium_else=$file; fi
  if [[ -n $CRONIUM_API ]] && _cronium_choose; then
    _cronium_call GET "$1" || code=$?
    case $code in
      0) _cronium_check || return 1 ;;
      7) _cronium_type='' _cronium_reply=null ;;
      *) return 1 ;;
    esac
  fi
  if [[ $_cronium_type == "$_CRONIUM_TEXT" ]]; then
    :
  elif [[ -n $_cronium_type ]] && _cronium_find jq python3 node; then
    _cronium_reply=$(_cronium_pick pretty data "$_cronium_reply") || return 1
  elif [[ -r $file ]]; then
    _cronium_reply=$(<"$file")
  else
    _cronium_fail "there is neither the executor's channel nor $file, or no tool to use it (curl, python3, node, nc.openbsd, socat; jq)"
    return 1
  fi
  if [[ $_cronium_reply != null ]]; then printf '%s\n' "$_cronium_reply"; fi
}

# _cronium_request method path [body]: prints the answer. Kept for scripts that use it.
_cronium_request() {
  local _cronium_status _cronium_type _cronium_reply _cronium_accept=application/json
  _cronium_call "$@" || return 1
  if [[ $1 == GET && $_cronium_status == 404 ]]; then
    echo '{"data":{"value":null}}'
    return 0
  fi
  _cronium_check && printf '%s\n' "$_cronium_reply"
}
