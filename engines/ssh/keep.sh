# Keeps one run on the server: starts the script in a session of its own, waits, and
# writes how it ended. Detached: it has no terminal and nobody waits for it.
# keep DIRECTORY LIMIT INTERPRETER SCRIPT WORKING_DIRECTORY
d=$1 limit=$2
# What is written here is ours; the script keeps the account's mask.
mask=$(umask)
umask 077

# A handler, not "ignore": ignoring would be inherited by the script.
trap : TERM INT HUP

new_session() {
    umask "$mask"
    if command -v setsid > /dev/null 2>&1; then exec setsid "$@"
    elif command -v perl > /dev/null 2>&1; then
        exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"
    else
        exec python3 -c 'import os,sys; os.setsid(); os.execvp(sys.argv[1],sys.argv[1:])' "$@"
    fi
}

new_session /bin/sh "$d/launch" "$d" "$3" "$4" "$5" \
    < /dev/null > "$d/stdout" 2> "$d/stderr" &
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

# The block was written before the start, so that a full disk cannot hide the end.
while [ -d "$d" ]; do
    ended=$(date +%s.%N)
    printf '%-40s\n' "$code ${ended%%.N*}" 1<> "$d/exit.tmp" &&
        mv "$d/exit.tmp" "$d/exit_code" && break
    sleep 1
done
