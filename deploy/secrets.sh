#!/bin/sh
# Makes the secrets that docker-compose.temporal.yml reads as files; those that are there
# stay. Nobody but the owner gets into the directory; inside of it files can be read by
# all, since in a container the reader is another user.
#
#   sh deploy/secrets.sh [DIRECTORY]
set -eu

directory="${1:-secrets}"
umask 077
mkdir -p "$directory"
chmod 0700 "$directory"
mkdir -p "$directory/events"
chmod 0755 "$directory/events"
for name in postgres.password grafana.password; do
    if [ ! -s "$directory/$name" ]; then
        head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$directory/.$name"
        chmod 0444 "$directory/.$name"
        mv "$directory/.$name" "$directory/$name"
        echo "secrets: made $directory/$name"
    fi
done
