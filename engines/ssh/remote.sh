# The half of the SSH engine that works on the server: functions in plain POSIX sh.
#
# It is sent over a channel's stdin into /bin/sh, after lines that set
#   M     a random mark; every answer is a line "<mark> WORD ...", and nothing else counts
#   BOOT  the file that tells one boot of the machine from the next
#   ONE   not empty when stdout and stderr are one stream, as on a terminal
# Commands follow as further lines. Nothing of the user's is ever on a command line.
#
# Each process costs a server about a millisecond, and a fan-out has many servers on one
# machine or small ones: what the shell can do by itself it does by itself.

set +Ceu
unset CDPATH
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
PATH=$PATH:${HOME:-/nonexistent}/.local/bin:${HOME:-/nonexistent}/bin
export PATH
before=${TMPDIR-}
D= held= holder=

# The account's mask is the script's; what is written here is ours.
mask=
while read -r name value; do
    case $name in Umask:) mask=$value; break ;; esac
done 2> /dev/null < /proc/self/status
[ -n "$mask" ] || mask=$(umask)
umask 077

# Where printf is a program, what it writes would be on a command line.
path=$PATH
PATH=/nonexistent
BUILTIN=
printf '' 2> /dev/null && BUILTIN=1
PATH=$path

say() { printf '%s %s\n' "$M" "$*"; }
fail() { say ERR "$@"; }

# Sets T to the time in seconds; only differences of two count.
now() {
    read -r T _ 2> /dev/null < /proc/uptime && return
    T=$(date +%s.%N)
    case $T in *N*) T=${T%%.*} ;; esac
}
# By the clock on the wall.
wall() { t=$(date +%s.%N); case $t in *N*) t=${t%%.*} ;; esac; printf '%s' "$t"; }

# Sets N to a file's size.
size() { if [ -s "$1" ]; then N=$(wc -c 2> /dev/null < "$1"); else N=0; fi; }

# Candidates for the directory that holds all runs, best first.
nth() {
    case $1 in
    1) P=${HOME:-/nonexistent}/.cronium/runs ;;
    2) P=/tmp/.cronium-$(id -u) ;;
    3) P=/var/tmp/.cronium-$(id -u) ;;
    esac
}

# In a directory that all may write, somebody else may have been first.
mine() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }

find_run() {
    for P in "${HOME:-/nonexistent}/.cronium/runs" /tmp/.cronium-* /var/tmp/.cronium-*; do
        if mine "$P" && mine "$P/$1"; then D=$P/$1; return 0; fi
    done
    D=
    return 1
}

# Sets b to the number of the process's start: it tells it from a later one with its id.
birth() {
    b=0
    read -r line 2> /dev/null < "/proc/$1/stat" || return
    set -- ${line##*) }
    b=${20:-0}
}

alive() {
    read -r keeper born 2> /dev/null < "$D/keeper" || return 1
    kill -0 "$keeper" 2> /dev/null && birth "$keeper" && [ "$born" = "$b" ]
}

rebooted() {
    { read -r then < "$D/boot" && read -r today < "$BOOT"; } 2> /dev/null &&
        [ "$then" != "$today" ]
}

# Sets code and ended; false while the script runs, or when nobody saw its end. Before
# that the file says "pending", and half of each for a moment: then code is no number.
exited() {
    code=- ended=-
    read -r code ended 2> /dev/null < "$D/exit_code"
    case $code in '' | *[!0-9]*) code=- ended=-; return 1 ;; esac
}

# Sets S to none, created, running, exited, rebooted or gone.
state() {
    code=- ended=-
    if ! find_run "$1"; then S=none
    elif [ ! -e "$D/started" ]; then S=created
    elif exited; then S=exited
    elif rebooted; then S=rebooted
    elif alive; then S=running
    elif exited; then S=exited
    else S=gone
    fi
}

# Sets began to the time of the start; times of an earlier boot say nothing.
clocks() {
    began=-
    read -r began 2> /dev/null < "$D/began"
    rebooted && began=- ended=-
    now
}

# room FILE KILOBYTES: whether there is so much; what it takes is given back at the end.
room() {
    if [ -z "$BUILTIN" ]; then
        dd if=/dev/zero of="$1" bs=1024 count="$2" 2> /dev/null
        return
    fi
    pad=0123456789abcdef
    while [ ${#pad} -lt 32768 ]; do pad=$pad$pad; done
    left=$2
    while [ "$left" -gt 0 ]; do printf %s "$pad" || return; left=$((left - 32)); done \
        2> /dev/null > "$1"
}

# Removes D. A shell that somebody gave up may be writing into it; it stops when it sees
# that the directory is another's or not there, and what it wrote goes the next time.
clear_away() {
    for n in 1 2 3; do
        said=$(rm -rf "$D" 2>&1)
        [ -e "$D" ] || return 0
    done
    return 1
}

# make KEY KILOBYTES INSTANCE DIRECTORY LABELS: the run's directory, with room enough,
# and nothing in it but what tells whose it is.
make() {
    state "$1"
    case $S in
    none) ;;
    created) clear_away ;;
    *) D=; fail exists "$S"; return ;;
    esac
    D=
    why=
    for n in 1 2 3; do
        nth $n
        if { { mine "$P" && mkdir "$P/$1"; } || {
            mkdir -p "$P" && mine "$P" && chmod 700 "$P" && mkdir "$P/$1"; }; } \
            2> /dev/null && room "$P/$1/room" "$2"; then D=$P/$1; break; fi
        said=$({ mkdir -p "$P/$1" && dd if=/dev/zero of="$P/$1/room" bs=1024 \
            count="$2" 2>&1 | grep -i space; } 2>&1)
        rm -rf "${P:?}/$1" 2> /dev/null
        why="$why $P: ${said:-not ours};"
    done
    if [ -z "$D" ]; then fail noroom "$(printf '%s' "$why" | tr '\n' ' ')"; return; fi
    if [ -n "$4" ] && ! { [ -d "$4" ] && [ -x "$4" ]; }; then
        rm -rf "$D"; D=; fail nodirectory "$4"; return
    fi
    # A shell may keep here-documents in files of its own.
    TMPDIR=$D
    true > "$D/room"
    printf '%s\n' "$3" > "$D/instance"
    printf '%s\n' "$M" > "$D/maker"
    put labels "$5"
}

# put FILE TEXT: below the run's directory, unless another shell has made it meanwhile.
put() {
    [ -n "$D" ] || return
    maker=
    read -r maker 2> /dev/null < "$D/maker"
    if [ "$maker" != "$M" ]; then fail taken "$D"; D=; return; fi
    case $1 in */*) [ -d "$D/${1%/*}" ] || mkdir -p "$D/${1%/*}" ;; esac
    if [ -n "$BUILTIN" ]; then
        printf %s "$2" > "$D/$1" && return
    elif cat > "$D/$1" << end
$2
end
    then return
    fi
    rm -rf "$D"; fail noroom "$D/$1"; D=
}

# made HELPER MODULES: everything is there; say whether the scripts' helper is as well,
# and which other runs are: their owners may have forgotten them.
made() {
    if [ -n "$before" ]; then TMPDIR=$before; else unset TMPDIR; fi
    [ -n "$D" ] || return
    others=
    for path in "${D%/*}"/*/; do
        path=${path%/}
        [ "$path" = "$D" ] || [ ${#others} -gt 1000 ] || others="$others ${path##*/}"
    done
    [ -z "$others" ] || say OTHERS "$others"
    H=${D%/*}/.helper-$1
    if [ -d "$H" ]; then use_helper "$2"; else say MADE helpless; fi
}

# Modules of Node.js look for others beside themselves; all else finds them by variables.
use_helper() {
    if [ -n "$1" ]; then ln -s "$H/node_modules" "$D/node_modules"; fi && say MADE helped "$D"
}

# helped HELPER MODULES: what was put under `helper` stays on the server for later runs.
# While somebody else puts theirs there, ours serves this run alone.
helped() {
    [ -n "$D" ] || { fail noroom "for the helper"; return; }
    chmod u+x "$D/helper/sdk/bin"/*
    tail --pid=$$ -n 0 /dev/null > /dev/null 2>&1 && true > "$D/helper/tail-waits"
    H=${D%/*}/.helper-$1
    if mkdir "$H.lock" 2> /dev/null; then
        [ -d "$H" ] || mv "$D/helper" "$H"
        rmdir "$H.lock"
    fi
    [ -d "$H" ] || H=$D/helper
    use_helper "$2"
}

# socket KEY: where the run's channel is; an old one would be in the way.
socket() {
    find_run "$1" || { fail missing "$1"; return; }
    [ ! -e "$D/api.sock" ] || rm -f "$D/api.sock"
    say SOCKET "$D/api.sock"
}

# Only for `session ... &`: it replaces the shell that it is called in.
session() {
    if command -v setsid > /dev/null 2>&1; then exec setsid "$@"
    elif command -v perl > /dev/null 2>&1; then
        exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"
    fi
    exec python3 -c 'import os,sys; os.setsid(); os.execvp(sys.argv[1],sys.argv[1:])' "$@"
}

# win MARK: true for one caller only, however many there are.
win() {
    set -C
    if true 2> /dev/null > "$D/$1"; then set +C; return 0; fi
    set +C
    return 1
}

# hold KEY LIMIT INTERPRETER SCRIPT DIRECTORY HELPER: starts the keeper, and waits for it.
# Most scripts are short: unless somebody has begun to follow by then, all that the script
# wrote is told at once, and nobody needs a `tail`.
hold() {
    session /bin/sh "$H/keep" "$D" "$H" "$2" "$mask" "$3" "$4" "$5" \
        < /dev/null > /dev/null 2>&1 &
    keeper=$!
    birth "$keeper"
    printf '%s %s\n' "$keeper" "$b" > "$D/keeper"
    clocks
    say BEGUN "$began" "$T"
    wait "$keeper"
    [ -z "$ONE" ] && win told || return 0
    say FOLLOW && say FOLLOW >&2 && state "$1" && rest 0 0 && told - -
}

# begin KEY LIMIT INTERPRETER SCRIPT DIRECTORY HELPER CHANNEL: start the script, once and
# for all. With a CHANNEL that sshd did not make the script must not wait for it.
begin() {
    find_run "$1" || { fail missing "$1"; return; }
    if ! command -v setsid > /dev/null 2>&1 && ! command -v perl > /dev/null 2>&1 &&
        ! command -v python3 > /dev/null 2>&1; then
        fail nosetsid; return
    fi
    if win started; then
        if ! { true > "$D/stdout" && true > "$D/stderr" &&
            printf '%-60s\n' pending > "$D/exit_code"; } 2> /dev/null; then
            rm -f "$D/started"; fail noroom "$D"; return
        fi
        read -r today 2> /dev/null < "$BOOT" && printf '%s\n' "$today" > "$D/boot"
        now
        printf '%s\n' "$T" > "$D/began"
        [ -z "$7" ] || [ -S "$D/api.sock" ] || true > "$D/mute"
        H=${D%/*}/.helper-$6
        [ -d "$H" ] || H=$D/helper
        hold "$@" &
        holder=$! held=$1
        return
    fi
    clocks
    say BEGUN "$began" "$T"
}

# status KEY
status() {
    state "$1"
    clocks
    say STATUS "$S" "$began" "$T"
}

tail_waits() {
    for path in "${D%/*}"/.helper-*/tail-waits "$D/helper/tail-waits"; do
        [ ! -e "$path" ] || return 0
    done
    return 1
}

# rest OUT ERR: all that there is beyond these offsets, of a script that is over.
rest() {
    [ ! -s "$D/stdout" ] || tail -c "+$(($1 + 1))" "$D/stdout" || return
    [ ! -s "$D/stderr" ] || tail -c "+$(($2 + 1))" "$D/stderr" >&2
}

# told OUT ERR: the end of what is followed; how much there is, or "-": all of it was told.
told() {
    [ -n "$ONE" ] || say END >&2
    clocks
    flooded=0
    [ -f "$D/flooded" ] && flooded=1
    say END "$S" "$code" "$began" "$ended" "$T" "$flooded" "$1" "$2"
}

# follow KEY OUT ERR: all output from these offsets, as it comes, until the end. What
# `tail` had no time for is asked for again by whoever sees the sizes at the end.
follow() {
    state "$1"
    if [ "$S" = none ]; then fail missing "$1"; return; fi
    own=
    if [ -z "$ONE" ] && [ "$held" = "$1" ]; then
        held=
        if win told; then own=1
        # Whoever holds the script tells of it. Should that have failed, another shell can.
        elif wait "$holder"; then return
        else kill -s KILL $$
        fi
    fi
    say FOLLOW
    [ -z "$ONE" ] && say FOLLOW >&2
    o=- e=-
    if [ -f "$D/stdout" ]; then
        if [ -z "$ONE" ] && [ "$S" != running ]; then
            rest "$2" "$3"
        elif [ -z "$ONE" ] && tail_waits; then
            tail -s 0.1 --pid="$keeper" -c "+$(($2 + 1))" -f "$D/stdout" 2> /dev/null &
            out=$!
            tail -s 0.1 --pid="$keeper" -c "+$(($3 + 1))" -f "$D/stderr" >&2 2> /dev/null &
            err=$!
            if [ -n "$own" ]; then
                # Our own child: its end is known at once.
                wait "$holder"
                # Of this signal no shell has anything to say.
                kill -s PIPE "$out" "$err" 2> /dev/null
            fi
            wait "$out" 2> /dev/null
            wait "$err" 2> /dev/null
            size "$D/stdout"
            o=$N
            size "$D/stderr"
            e=$N
        else
            look "$2" "$3" || return
        fi
    fi
    state "$1"
    told "$o" "$e"
}

# Where tail cannot wait for a process: look five times a second.
look() {
    o=$1 e=$2
    while :; do
        last=1
        [ "$S" = running ] && ! exited && kill -0 "$keeper" 2> /dev/null && last=
        size "$D/stdout"
        if [ "$N" -gt "$o" ]; then
            [ -n "$ONE" ] && say CHUNK stdout $((N - o))
            tail -c "+$((o + 1))" "$D/stdout" | head -c $((N - o)) || return 1
            o=$N
        fi
        size "$D/stderr"
        if [ "$N" -gt "$e" ]; then
            if [ -n "$ONE" ]; then
                say CHUNK stderr $((N - e))
                tail -c "+$((e + 1))" "$D/stderr" | head -c $((N - e)) || return 1
            else
                tail -c "+$((e + 1))" "$D/stderr" | head -c $((N - e)) >&2 || return 1
            fi
            e=$N
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
        win started && {
            true > "$D/stdout"; true > "$D/stderr"; now
            printf '%s\n' "$T" > "$D/began"
            printf '143 %s\n' "$T" > "$D/exit_code"
        }
        say ENDED created; return ;;
    running)
        for n in 1 2 3 4 5 6 7 8 9 10; do
            [ -s "$D/group" ] && break
            sleep 0.1 || sleep 1
        done ;;
    esac
    [ "$S" = exited ] || read -r root 2> /dev/null < "$D/group"
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
        clear_away || { fail stays "$(printf '%s' "$said" | tr '\n' ' ')"; return; }
    fi
    say FORGOTTEN
}

# show KEY FILE: one of the texts that the run was given.
show() {
    find_run "$1"
    say FOLLOW
    [ -n "$D" ] && cat "$D/$2" 2> /dev/null
    say END
}

# list: every run there is, with its state.
list() {
    for room in "${HOME:-/nonexistent}/.cronium/runs" /tmp/.cronium-* /var/tmp/.cronium-*; do
        mine "$room" || continue
        for path in "$room"/*/; do
            key=${path%/}
            key=${key##*/}
            state "$key"
            [ "$S" = none ] && continue
            instance=
            read -r instance 2> /dev/null < "$D/instance"
            say RUN "$key" "$S" "$instance"
        done
    done
    say LISTED
}
