# Keeps one run on the server: starts the script in a session of its own, waits, and
# writes how it ended. Detached: it has no terminal and nobody waits for it.
# keep DIRECTORY HELPER LIMIT MASK INTERPRETER SCRIPT WORKING_DIRECTORY
d=$1 limit=$3

# A handler, not "ignore": ignoring would be inherited by the script.
trap : TERM INT HUP

# Sets W to where a program is, by our PATH and not by the user's.
where() {
    IFS=:
    for W in $PATH; do
        W=$W/$1
        [ ! -x "$W" ] || break
        W=
    done
    unset IFS
    [ -n "$W" ]
}

# new_session HOW PROGRAM COMMAND...: becomes the command in a session of its own.
new_session() {
    case $1 in
    setsid) shift; exec "$@" ;;
    perl) exec "$2" -e 'use POSIX; POSIX::setsid(); splice @ARGV, 0, 2; exec @ARGV' "$@" ;;
    *) exec "$2" -c 'import os,sys; os.setsid(); os.execvp(sys.argv[3],sys.argv[3:])' "$@" ;;
    esac
}

# launch DIRECTORY HELPER MASK INTERPRETER SCRIPT WORKING_DIRECTORY: becomes the script.
# All that it needs later is in its arguments: variables may be the user's.
launch() {
    for how in setsid perl python3; do where $how && break; done
    set -- "$@" "$how" "$W"
    umask "$3"
    if [ -n "$6" ]; then cd "$6" || exit 126; fi
    . "$1/environment"
    CRONIUM_RUN_DIR=$1
    CRONIUM_RUN_KEY=${1##*/}
    export CRONIUM_RUN_DIR CRONIUM_RUN_KEY
    if [ -e "$1/mute" ]; then
        unset CRONIUM_SOCKET CRONIUM_EXECUTION_TOKEN
        CRONIUM_NO_CHANNEL='the sshd of this server forwards no sockets (AllowStreamLocalForwarding, DisableForwarding)'
        export CRONIUM_NO_CHANNEL
    fi
    [ -z "${CRONIUM_SOCKET:-}" ] || CRONIUM_SOCKET=$1/api.sock
    . "$2/helper.sh"
    command -v "$4" > /dev/null 2>&1 || {
        echo "cronium: not on this server: $4" >&2
        exit 127
    }
    # What may be an ES module is there as such as well; Node.js itself is asked.
    if [ -f "$1/script.mjs" ]; then
        NODE_OPTIONS='' node -e "$(cat "$1/check")" "$1/$5" > /dev/null 2>&1 ||
            new_session "$7" "$8" node "$1/script.mjs"
    fi
    new_session "$7" "$8" "$4" "$1/$5"
}

launch "$d" "$2" "$4" "$5" "$6" "$7" < /dev/null > "$d/stdout" 2> "$d/stderr" &
script=$!
echo "$script" > "$d/group"

# A flood must not fill the server's disk.
watch_size() {
    while sleep 1 && kill -0 "$script"; do
        if [ $(($(wc -c < "$d/stdout") + $(wc -c < "$d/stderr"))) -gt "$limit" ]; then
            : > "$d/flooded"
            kill -s TERM -- "-$script"
            sleep 2
            kill -s KILL -- "-$script"
        fi
    done
}
watch_size < /dev/null > /dev/null 2>&1 &
watcher=$!

# A signal ends `wait` early; only a script that is gone cannot be waited for again.
while :; do
    wait "$script"
    code=$?
    kill -0 "$script" 2> /dev/null || break
done
kill "$watcher" 2> /dev/null

# Written over what was there since before the start, so that a full disk cannot hide the
# end; of the same length, so that nobody reads a part of both.
while [ -d "$d" ]; do
    read -r ended _ 2> /dev/null < /proc/uptime || ended=$(date +%s.%N)
    printf '%-60s\n' "$code ${ended%%.*N*}" 1<> "$d/exit_code" && break
    sleep 1
done
