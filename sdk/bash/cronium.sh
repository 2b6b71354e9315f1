# What a Bash script uses to talk to the executor that runs it.
#
#   region=$(cronium_input | jq -r .region)
#   cronium_set_variable LAST_REGION "$region"
#   cronium_output '{"done": true}'
#
# BASH_ENV points here, so every bash of a run has the functions. They need one of
# nc.openbsd (the quickest), socat, curl, python3 or node to reach the executor, and one of
# jq, python3 or node for large answers and to tell JSON from other text. Without any,
# cronium_input and cronium_event print the run's own files.
#
# A call that fails prints "Error: …" to stderr and returns 1. While the worker is away,
# calls wait and try again for CRONIUM_OUTAGE_SECONDS. Works under `set -euo pipefail`.
#
# Of names in three spellings, cronium_set_variable stores text that is JSON with its type
# (12 is a number); cronium_setVariable and cronium.setVariable store their argument as text.
# Needs bash 4.0 or newer.

# shellcheck disable=SC2155 # quoting a text cannot fail
CRONIUM_SDK_VERSION=3.0.0
CRONIUM_API=${CRONIUM_SOCKET:+unix:$CRONIUM_SOCKET}
CRONIUM_API=${CRONIUM_API:-${CRONIUM_RUNTIME_API:-}}
CRONIUM_TOKEN=${CRONIUM_EXECUTION_TOKEN:-}
CRONIUM_EXEC_ID=${CRONIUM_EXECUTION_ID:-}

# --- input and output -----------------------------------------------------------------

cronium_input() {
  _cronium_read input input.json
}

# cronium_output [data]: data that is JSON is sent as it is, other text as text.
cronium_output() {
  local data _cronium_quoted
  if (($#)); then data=$1; else data=$(cat); fi
  _cronium_typed "$data"
  _cronium_write POST output "{\"data\":$_cronium_quoted}"
}

cronium_event() {
  _cronium_read context event.json
}

# cronium_event_field name: one field of the event, such as attempt or server.name.
cronium_event_field() {
  _cronium_need cronium_event_field 1 "the name of a field" "$@" || return 1
  local event path=${1//[/.}
  event=$(cronium_event) || return 1
  if [[ -n $event ]]; then _cronium_pick raw "${path//]/}" "$event"; fi
}

# --- variables ------------------------------------------------------------------------

# cronium_get_variable key: the value; nothing when it is not set.
cronium_get_variable() {
  _cronium_need cronium_get_variable 1 "the name of a variable" "$@" || return 1
  local _cronium_status _cronium_type _cronium_reply _cronium_key=$1
  _cronium_call GET variables/{} || return 1
  if [[ $_cronium_status == 404 ]]; then return 0; fi
  _cronium_check && _cronium_print value data.value
}

cronium_set_variable() {
  _cronium_need cronium_set_variable 2 "the name of a variable and its value" "$@" || return 1
  local _cronium_key=$1 _cronium_quoted
  _cronium_typed "$2"
  _cronium_write PUT variables/{} "{\"value\":$_cronium_quoted}"
}

# cronium_variable_exists key: returns 0 when it is set, 1 when not.
cronium_variable_exists() {
  _cronium_need cronium_variable_exists 1 "the name of a variable" "$@" || return 1
  local _cronium_status _cronium_type _cronium_reply _cronium_key=$1
  _cronium_call GET variables/{} || return 1
  [[ $_cronium_status != 404 ]] && _cronium_check
}

cronium_delete_variable() {
  _cronium_need cronium_delete_variable 1 "the name of a variable" "$@" || return 1
  local _cronium_key=$1
  _cronium_write DELETE variables/{}
}

# cronium_list_variables [prefix]: an object with names and values.
cronium_list_variables() {
  local path=variables _cronium_escaped
  if [[ -n ${1:-} ]]; then
    _cronium_escape "$1"
    path+="?prefix=$_cronium_escaped"
  fi
  _cronium_ask pretty data.variables GET "$path"
}

# cronium_increment_variable key [n=1]: adds as one step and prints the sum.
cronium_increment_variable() {
  _cronium_need cronium_increment_variable 1 "the name of a variable" "$@" || return 1
  local _cronium_key=$1
  local by=${2:-1}
  if ! _cronium_number "$by"; then
    _cronium_fail "cronium_increment_variable: '$by' is not a number"
    return 1
  fi
  _cronium_ask value data.value POST variables/{}/increment "{\"by\":$by}"
}

# cronium_append_variable key value [separator]: prints the whole.
cronium_append_variable() {
  _cronium_need cronium_append_variable 2 "the name of a variable and a text" "$@" || return 1
  local _cronium_key=$1
  local body="{\"value\":$(_cronium_string "$2"),\"separator\":$(_cronium_string "${3:-}")}"
  _cronium_ask value data.value POST variables/{}/append "$body"
}

# --- condition, log, progress ---------------------------------------------------------

cronium_set_condition() {
  local truth
  case ${1:-} in
    [Tt][Rr][Uu][Ee] | 1 | [Yy][Ee][Ss] | [Oo][Nn]) truth=true ;;
    [Ff][Aa][Ll][Ss][Ee] | 0 | [Nn][Oo] | [Oo][Ff][Ff]) truth=false ;;
    *)
      _cronium_fail "cronium_set_condition: '${1:-}' is neither true, 1, yes, on nor false, 0, no, off"
      return 1
      ;;
  esac
  _cronium_write POST condition "{\"condition\":$truth}"
}

# cronium_get_condition: true, false, or null when it was not set.
cronium_get_condition() {
  _cronium_ask value data.condition GET condition
}

# cronium_log level message [fields as JSON]; with one argument the level is info.
cronium_log() {
  _cronium_need cronium_log 1 "a level (debug, info, warning, error) and a message" "$@" || return 1
  if (($# == 1)); then set -- info "$1"; fi
  local level=${1,,} fields=${3:-} _cronium_quoted
  if [[ $level == warn ]]; then level=warning; fi
  case $level in
    debug | info | warning | error) ;;
    *)
      _cronium_fail "cronium_log: '$1' is none of debug, info, warning, error"
      return 1
      ;;
  esac
  _cronium_quote "$2"
  _cronium_write POST logs "{\"level\":\"$level\",\"message\":$_cronium_quoted,\"fields\":${fields:-"{}"}}"
}

# cronium_progress fraction [text]: how much is done, from 0 to 1.
cronium_progress() {
  local _cronium_quoted
  if ! _cronium_number "${1:-}"; then
    _cronium_fail "cronium_progress: '${1:-}' is not a number from 0 to 1"
    return 1
  fi
  _cronium_quote "${2:-}"
  _cronium_write POST progress "{\"fraction\":$1,\"text\":$_cronium_quoted}"
}

cronium_sleep() {
  _cronium_need cronium_sleep 1 "the seconds to wait" "$@" || return 1
  command sleep "$1"
}

# --- tools ----------------------------------------------------------------------------

cronium_execute_tool_action() {
  _cronium_need cronium_execute_tool_action 3 "tool, action and config as JSON" "$@" || return 1
  local body="{\"tool\":$(_cronium_string "$1"),\"action\":$(_cronium_string "$2"),\"config\":$3}"
  _cronium_ask pretty data POST /tool-actions/execute "$body"
}

# cronium_send_email to subject body [--cc x] [--bcc x] [--html]; addresses by commas.
cronium_send_email() {
  _cronium_need cronium_send_email 3 "recipients, subject and body" "$@" || return 1
  local config="\"to\":$(_cronium_list "$1"),\"subject\":$(_cronium_string "$2"),\"body\":$(_cronium_string "$3")"
  shift 3
  while (($#)); do
    case $1 in
      --cc | --bcc)
        config+=",\"${1#--}\":$(_cronium_list "${2:-}")"
        shift
        ;;
      --html) config+=',"html":true' ;;
      *) _cronium_fail "cronium_send_email: unknown option '$1'" && return 1 ;;
    esac
    shift $(($# > 0))
  done
  cronium_execute_tool_action email send_message "{$config}"
}

# cronium_send_slack_message channel text [--username x] [--icon-emoji x] [--icon-url x]
cronium_send_slack_message() {
  _cronium_need cronium_send_slack_message 2 "channel and text" "$@" || return 1
  local config="\"channel\":$(_cronium_string "$1"),\"text\":$(_cronium_string "$2")" name
  shift 2
  while (($#)); do
    case $1 in
      --username) name=username ;;
      --icon-emoji) name=icon_emoji ;;
      --icon-url) name=icon_url ;;
      *) _cronium_fail "cronium_send_slack_message: unknown option '$1'" && return 1 ;;
    esac
    config+=",\"$name\":$(_cronium_string "${2:-}")"
    shift $(($# > 1 ? 2 : 1))
  done
  cronium_execute_tool_action slack send_message "{$config}"
}

# cronium_send_discord_message channel_id content [--embed json]
cronium_send_discord_message() {
  _cronium_need cronium_send_discord_message 2 "channel id and content" "$@" || return 1
  local config="\"channelId\":$(_cronium_string "$1"),\"content\":$(_cronium_string "$2")"
  if [[ ${3:-} == --embed ]]; then config+=",\"embeds\":[${4:-}]"; fi
  cronium_execute_tool_action discord send_message "{$config}"
}

cronium_info() {
  printf 'Cronium SDK for Bash %s\n' "$CRONIUM_SDK_VERSION"
  printf 'API: %s\nExecution: %s\nToken: %s...\n' \
    "$CRONIUM_API" "$CRONIUM_EXEC_ID" "${CRONIUM_TOKEN:0:10}"
}

# --- other spellings --------------------------------------------------------------------

cronium_getVariable() { cronium_get_variable "$@"; }
cronium_getCondition() { cronium_get_condition; }

cronium_setVariable() {
  _cronium_need cronium_setVariable 2 "the name of a variable and its value" "$@" || return 1
  local _cronium_key=$1 _cronium_quoted
  _cronium_quote "$2"
  _cronium_write PUT variables/{} "{\"value\":$_cronium_quoted}" && echo true
}

# cronium_setCondition text: anything but nothing, false and 0 is true; prints which.
cronium_setCondition() {
  local truth=true
  case ${1:-} in '' | [Ff][Aa][Ll][Ss][Ee] | 0) truth=false ;; esac
  cronium_set_condition "$truth" && echo "$truth"
}

# A dot in a function's name is refused in POSIX mode, where parsing it would be an error.
if ! shopt -oq posix; then
  eval '
  cronium.input() { cronium_input; }
  cronium.event() { cronium_event; }
  cronium.getVariable() { cronium_get_variable "$@"; }
  cronium.output() { cronium_output "$@" && echo "Output saved successfully"; }
  cronium.setVariable() {
    if (($# == 1)); then
      set -- "$1" "$(cat)"
      cronium_set_variable "$@" || return 1
    else
      cronium_setVariable "$@" >/dev/null || return 1
    fi
    echo "Variable saved successfully"
  }'
fi

_cronium_folder=${BASH_SOURCE[0]%/*}
# shellcheck source=sdk/bash/json.sh
. "$_cronium_folder/json.sh"
# shellcheck source=sdk/bash/send.sh
. "$_cronium_folder/send.sh"
# shellcheck source=sdk/bash/request.sh
. "$_cronium_folder/request.sh"

# BASH_ENV was the script's own before it was ours.
if [[ -r ${CRONIUM_USER_BASH_ENV:-} ]]; then
  # shellcheck disable=SC1090
  . "$CRONIUM_USER_BASH_ENV"
fi
