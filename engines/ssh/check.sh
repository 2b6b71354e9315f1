# What a server has for scripts; sent after remote.sh, whose functions it uses.
for tool in bash python3 node; do
    if command -v "$tool" > /dev/null 2>&1; then
        say TOOL "$tool" "$("$tool" --version < /dev/null 2>&1 | head -n 1)"
    else
        say TOOL "$tool"
    fi
done
for n in 1 2 3; do
    nth $n
    room=$(dirname "$P")
    while [ ! -d "$room" ] && [ "$room" != / ]; do room=$(dirname "$room"); done
    [ -w "$room" ] && break
done
say DISK "$(df -Pk "$room" 2> /dev/null | tail -n 1 | awk '{ print $4 }')"
say CHECKED
