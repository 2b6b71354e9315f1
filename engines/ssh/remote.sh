# The half of the SSH engine that works on the server: functions in plain POSIX sh.
#
# It is sent over a channel's stdin into /bin/sh, after lines that set
#   M     a random mark; every answer is a line "<mark> WORD ...", and nothing else counts
#   BOOT  the file that tells one boot of the machine from the next
#   ONE   not empty when stdout and stderr are one stream, as on a terminal
# Commands follow as further lines. Nothing of the user's is ever on a command line.

set +Ceu
mask=$(umask)
umask 077
unset CDPATH
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
PATH=$PATH:${HOME:-/nonexistent}/.local/bin:${HOME:-/nonexistent}/bin
export PATH
uid=$(id -u)
before=${TMPDIR-}
D=

say() { printf '%s %s\n' "$M" "$*"; }
fail() { say ERR "$@"; }
now() { t=$(date +%s.%N); case $t in *N*) t=${t%%.*} ;; esac; printf '%s' "$t"; }
size() { wc -c 2> /dev/null < "$1" || echo 0; }
word() { v=; read -r v 2> /dev/null < "$1"; printf '%s' "${v:--}"; }

# Candidates for the directory that holds all runs, best first.
nth() {
    case $1 in
    1) P=${HOME:-/nonexistent}/.cronium/runs ;;
    2) P=/tmp/.cronium-$uid ;;
    3) P=/var/tmp/.cronium-$uid ;;
    esac
}

# In a directory that all may write, somebody else may have been first.
mine() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }

find_run() {
    for n in 1 2 3; do
        nth $n
        if mine "$P" && mine "$P/$1"; then D=$P/$1; return 0; fi
    done
    D=
    return 1
}

# The number of the process's start tells it from a later one with the same id.
birth() {
    b=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)
    printf '%s' "${b:-0}"
}

alive() {
    read -r keeper born 2>/dev/null < "$D/keeper" || return 1
    kill -0 "$keeper" 2>/dev/null && [ "$born" = "$(birth "$keeper")" ]
}

rebooted() {
    [ -s "$D/boot" ] && [ -r "$BOOT" ] && [ "$(cat "$D/boot")" != "$(cat "$BOOT")" ]
}

# Sets S to none, created, running, exited, rebooted or gone.
state() {
    if ! find_run "$1"; then S=none
    elif [ ! -d "$D/started" ]; then S=created
    elif [ -f "$D/exit_code" ]; then S=exited
    elif rebooted; then S=rebooted
    elif alive; then S=running
    elif [ -f "$D/exit_code" ]; then S=exited
    else S=gone
    fi
}

# make KEY KILOBYTES INSTANCE DIRECTORY: the run's directory, empty, with room enough.
make() {
    state "$1"
    case $S in
    none) ;;
    created) rm -rf "$D" ;;
    *) D=; fail exists "$S"; return ;;
    esac
    D=
    why=
    for n in 1 2 3; do
        nth $n
        said=$({
            mkdir -p "$P" && mine "$P" && chmod 700 "$P" && mkdir "$P/$1" &&
                dd if=/dev/zero of="$P/$1/room" bs=1024 count="$2" 2>&1 | grep -i space
            [ "$(size "$P/$1/room")" -eq $(($2 * 1024)) ] && rm "$P/$1/room"
        } 2>&1) && { D=$P/$1; break; }
        rm -rf "${P:?}/$1" 2>/dev/null
        why="$why $P: ${said:-not ours};"
    done
    if [ -z "$D" ]; then fail noroom "$(printf '%s' "$why" | tr '\n' ' ')"; return; fi
    if [ -n "$4" ] && ! { [ -d "$4" ] && [ -x "$4" ]; }; then
        rm -rf "$D"; D=; fail nodirectory "$4"; return
    fi
    # A shell may keep here-documents in files of its own.
    TMPDIR=$D
    printf '%s\n' "$3" > "$D/instance"
    now > "$D/created"
}

put() {
    case $1 in */*) [ -z "$D" ] || mkdir -p "$D/${1%/*}" ;; esac
    if [ -z "$D" ]; then cat > /dev/null
    elif ! cat > "$D/$1"; then rm -rf "$D"; D=
    fi
}

# made HELPER: everything is there; say whether the scripts' helper is as well.
made() {
    if [ -n "$before" ]; then TMPDIR=$before; else unset TMPDIR; fi
    [ -n "$D" ] || return
    H=${D%/*}/.helper-$1
    if [ -d "$H" ]; then use_helper; else say MADE helpless; fi
}

use_helper() {
    ln -s "$H/sdk" "$D/sdk" && ln -s "$H/node_modules" "$D/node_modules" &&
        say MADE helped
}

# helped HELPER: what was put under `helper` stays on the server for later runs. While
# somebody else puts theirs there, ours serves this run alone.
helped() {
    [ -n "$D" ] || { fail noroom "for the helper"; return; }
    chmod u+x "$D/helper/sdk/bin"/*
    H=${D%/*}/.helper-$1
    if mkdir "$H.lock" 2> /dev/null; then
        [ -d "$H" ] || mv "$D/helper" "$H"
        rmdir "$H.lock"
    fi
    [ -d "$H" ] || H=$D/helper
    use_helper
}

# socket KEY: where the run's channel is; an old one would be in the way.
socket() {
    find_run "$1" || { fail missing "$1"; return; }
    rm -f "$D/api.sock"
    say SOCKET "$D/api.sock"
}

# Only for `session ... &`: it replaces the shell that it is called in.
session() {
    umask "$mask"
    if command -v setsid > /dev/null 2>&1; then exec setsid "$@"
    elif command -v perl > /dev/null 2>&1; then
        exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"
    fi
    exec python3 -c 'import os,sys; os.setsid(); os.execvp(sys.argv[1],sys.argv[1:])' "$@"
}

# begin KEY LIMIT INTERPRETER SCRIPT DIRECTORY: start the script, once and for all.
begin() {
    find_run "$1" || { fail missing "$1"; return; }
    if ! command -v setsid > /dev/null 2>&1 && ! command -v perl > /dev/null 2>&1 &&
        ! command -v python3 > /dev/null 2>&1; then
        fail nosetsid; return
    fi
    if mkdir "$D/started" 2> /dev/null; then
        if ! { : > "$D/stdout" && : > "$D/stderr" &&
            printf '%-40s\n' pending > "$D/exit.tmp"; } 2> /dev/null; then
            rmdir "$D/started"; fail noroom "$D"; return
        fi
        cat "$BOOT" > "$D/boot" 2> /dev/null
        now > "$D/began"
        session /bin/sh "$D/keep" "$D" "$2" "$3" "$4" "$5" < /dev/null > /dev/null 2>&1 &
        printf '%s %s\n' "$!" "$(birth $!)" > "$D/keeper.tmp" &&
            mv "$D/keeper.tmp" "$D/keeper"
    fi
    say BEGUN "$(word "$D/began")" "$(now)"
}

# status KEY
status() {
    state "$1"
    say STATUS "$S" "$(word "$D/began")" "$(now)"
}

# follow KEY OUT ERR: all output from these offsets, as it comes, until the end.
follow() {
    state "$1"
    if [ "$S" = none ]; then fail missing "$1"; return; fi
    say FOLLOW
    [ -z "$ONE" ] && say FOLLOW >&2
    if [ -f "$D/stdout" ]; then
        if [ -z "$ONE" ] && [ "$S" = running ] &&
            tail --pid=$$ -n 0 /dev/null > /dev/null 2>&1; then
            tail -s 0.1 --pid="$keeper" -c "+$(($2 + 1))" -f "$D/stdout" 2> /dev/null &
            out=$!
            tail -s 0.1 --pid="$keeper" -c "+$(($3 + 1))" -f "$D/stderr" >&2 2> /dev/null &
            wait $out
            wait $!
        else
            look "$2" "$3" || return
        fi
    fi
    state "$1"
    [ -z "$ONE" ] && say END >&2
    code=- ended=-
    [ "$S" = exited ] && read -r code ended < "$D/exit_code"
    flooded=0
    [ -f "$D/flooded" ] && flooded=1
    say END "$S" "$code" "$(word "$D/began")" "$ended" "$(now)" "$flooded" \
        "$(size "$D/stdout")" "$(size "$D/stderr")"
}

# Where tail cannot wait for a process: look five times a second.
look() {
    o=$1 e=$2
    while :; do
        last=1
        [ "$S" = running ] && [ ! -f "$D/exit_code" ] && kill -0 "$keeper" 2> /dev/null && last=
        n=$(size "$D/stdout")
        if [ "$n" -gt "$o" ]; then
            [ -n "$ONE" ] && say CHUNK stdout $((n - o))
            tail -c "+$((o + 1))" "$D/stdout" | head -c $((n - o)) || return 1
            o=$n
        fi
        n=$(size "$D/stderr")
        if [ "$n" -gt "$e" ]; then
            if [ -n "$ONE" ]; then
                say CHUNK stderr $((n - e))
                tail -c "+$((e + 1))" "$D/stderr" | head -c $((n - e)) || return 1
            else
                tail -c "+$((e + 1))" "$D/stderr" | head -c $((n - e)) >&2 || return 1
            fi
            e=$n
        fi
        [ -n "$last" ] && return 0
        sleep 0.2 || sleep 1
    done
}

# One line "pid state parent group session" for every process there is.
processes() {
    if [ -r /proc/self/stat ]; then
        cat /proc/[0-9]*/stat 2> /dev/null | sed 's/^\([0-9]*\) (.*) /\1 /'
    else
        ps -A -o pid= -o stat= -o ppid= -o pgid= -o pgid=
    fi
}

# The script's processes: by group, session, descent, and by the mark that every child
# inherits, which finds those that made themselves a new session.
tree() {
    {
        grep -lsF "CRONIUM_RUN_KEY=$1" /proc/[0-9]*/environ |
            sed 's|/proc/\([0-9]*\)/.*|\1|'
        processes
    } | awk -v root="$root" '
        NF == 1 { hit[$1] = 1; next }
        { state[$1] = $2; parent[$1] = $3; group[$1] = $4; session[$1] = $5 }
        END {
            for (p in parent)
                if (root && (p == root || group[p] == root || session[p] == root)) hit[p] = 1
            do {
                more = 0
                for (p in parent)
                    if (!(p in hit) && parent[p] in hit) { hit[p] = 1; more = 1 }
            } while (more)
            for (p in hit)
                if ((p in parent) && p + 0 > 1 && state[p] !~ /^[ZX]/) print p
        }'
}

# Some may belong to another user, after a sudo inside the script.
signal() {
    [ -n "$root" ] && kill -s "$1" -- "-$root" 2> /dev/null
    for p in $2; do
        kill -s "$1" "$p" 2> /dev/null || sudo -n kill -s "$1" "$p" 2> /dev/null
    done
}

# end KEY FIFTHS: TERM, wait so many fifths of a second, KILL, look whether all are gone.
end() {
    state "$1"
    root=
    case $S in
    none | rebooted) say ENDED "$S"; return ;;
    created)
        # A start that is still on its way must find that it is too late.
        mkdir "$D/started" 2> /dev/null && {
            : > "$D/stdout"; : > "$D/stderr"; now > "$D/began"
            printf '143 %s\n' "$(now)" > "$D/exit_code"
        }
        say ENDED created; return ;;
    running)
        for n in 1 2 3 4 5 6 7 8 9 10; do
            [ -s "$D/group" ] && break
            sleep 0.1 || sleep 1
        done ;;
    esac
    [ "$S" = exited ] || root=$(cat "$D/group" 2> /dev/null)
    pids=$(tree "$1")
    if [ -n "$pids" ]; then
        signal TERM "$pids"
        fifths=$2
        while pids=$(tree "$1") && [ -n "$pids" ] && [ "$fifths" -gt 0 ]; do
            if sleep 0.2; then fifths=$((fifths - 1)); else sleep 1; fifths=$((fifths - 5)); fi
        done
        for n in 1 2 3 4 5 6 7 8 9 10; do
            [ -z "$pids" ] && break
            signal KILL "$pids"
            sleep 0.1 || sleep 1
            pids=$(tree "$1")
        done
    fi
    for p in $pids; do
        say LEFT "$p" "$(stat -c %U "/proc/$p" 2> /dev/null || echo '?')" \
            "$(tr '\0\n' '  ' < "/proc/$p/cmdline" 2> /dev/null | cut -c 1-80)"
    done
    say ENDED "$S"
}

# forget KEY: end it if it runs, and remove its directory.
forget() {
    state "$1"
    [ "$S" = running ] && end "$1" 0
    if [ "$S" != none ]; then
        said=$(rm -rf "$D" 2>&1)
        [ -e "$D" ] && { fail stays "$(printf '%s' "$said" | tr '\n' ' ')"; return; }
    fi
    say FORGOTTEN
}

# environment KEY: the variables that the run was given.
environment() {
    find_run "$1"
    say FOLLOW
    [ -n "$D" ] && cat "$D/environment" 2> /dev/null
    say END
}

# list: every run there is, with its state and its age in seconds.
list() {
    here=$(date +%s)
    for i in 1 2 3; do
        nth $i
        mine "$P" || continue
        for path in "$P"/*/; do
            key=${path%/}
            key=${key##*/}
            state "$key"
            [ "$S" = none ] && continue
            made=$(cat "$D/created" 2> /dev/null || echo "$here")
            say RUN "$key" "$S" $((here - ${made%%.*})) "$(cat "$D/instance" 2> /dev/null)"
        done
    done
    say LISTED
}
