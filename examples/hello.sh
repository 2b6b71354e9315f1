#!/usr/bin/env bash
# Prints a few lines with pauses, so that you can watch them arrive.
set -euo pipefail

name=$(jq -r '.name? // "world"' /run/cronium/input.json)

echo "Hello, $name, from Bash $BASH_VERSION"
for step in 1 2 3; do
  sleep 0.4
  echo "step $step of 3, as user $(id -u)"
done
echo "this line goes to stderr" >&2
echo "done"
