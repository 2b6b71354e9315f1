# Becomes the script: launch DIRECTORY INTERPRETER SCRIPT WORKING_DIRECTORY
if [ -n "$4" ]; then cd "$4" || exit 126; fi
. "$1/environment"
CRONIUM_RUN_DIR=$1
CRONIUM_RUN_KEY=${1##*/}
export CRONIUM_RUN_DIR CRONIUM_RUN_KEY
command -v "$2" > /dev/null 2>&1 || {
    echo "cronium: not on this server: $2" >&2
    exit 127
}
exec "$2" "$1/$3"
