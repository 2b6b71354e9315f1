# Becomes the script: launch DIRECTORY INTERPRETER SCRIPT WORKING_DIRECTORY
if [ -n "$4" ]; then cd "$4" || exit 126; fi
. "$1/environment"
CRONIUM_RUN_DIR=$1
CRONIUM_RUN_KEY=${1##*/}
export CRONIUM_RUN_DIR CRONIUM_RUN_KEY
[ -z "${CRONIUM_SOCKET:-}" ] || CRONIUM_SOCKET=$1/api.sock
. "$1/helper.sh"
command -v "$2" > /dev/null 2>&1 || {
    echo "cronium: not on this server: $2" >&2
    exit 127
}
# What may be an ES module is there as such as well; Node.js itself is asked.
if [ -f "$1/script.mjs" ]; then
    NODE_OPTIONS='' node -e "$(cat "$1/check")" "$1/$3" > /dev/null 2>&1 ||
        exec node "$1/script.mjs"
fi
exec "$2" "$1/$3"
