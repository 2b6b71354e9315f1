#!/usr/bin/env bash
# Everything a script usually says to the executor, in Bash. Nothing has to be sourced.
set -euo pipefail

input=$(cronium_input)
mapfile -t items < <(jq -r '.items[]' <<<"${input:-"{\"items\": [\"tea\", \"cup\", \"spoon\"]}"}")
count=${#items[@]}

cronium_log info "order received" "{\"items\": $count}"
for number in $(seq "$count"); do
  sleep 0.2
  echo "packing ${items[number - 1]}"
  cronium_progress "$(jq -n "$number / $count")" "$number of $count"
done

# Variables outlive the run and belong to the user. Adding is one step, so runs side by
# side do not lose a count.
total=$(cronium_increment_variable PACKED_TOTAL "$count")
cronium_set_variable LAST_ORDER "$(jq -cn --arg by "$(cronium_event_field name)" \
  '{items: $ARGS.positional, by: $by}' --args "${items[@]}")"
if ! cronium_variable_exists NEVER_SET; then
  echo "a variable that is not set is empty, and no error"
fi

# The output is the next event's input; the condition decides whether it is started
# (`when: on_condition`).
if ((count > 2)); then cronium_set_condition true; else cronium_set_condition false; fi
cronium_output "{\"packed\": $count, \"total\": $total}"
