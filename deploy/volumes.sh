#!/bin/sh
# Saves the volumes of a stopped compose project into a directory, or puts them back.
#
#   sh deploy/volumes.sh save PROJECT DIRECTORY
#   sh deploy/volumes.sh restore PROJECT DIRECTORY
#
# One archive per volume, owners and all. Only while nothing of the project runs: a
# database that is copied under its server is no copy. Those archives hold secrets.
set -eu

usage() {
    echo "usage: sh deploy/volumes.sh save|restore PROJECT DIRECTORY" >&2
    exit 2
}

[ $# = 3 ] || usage
verb="$1" project="$2" directory="$3"
image="cronium/executor:${EXECUTOR_VERSION:-latest}"
label="label=com.docker.compose.project=$project"

if [ -n "$(docker ps --quiet --filter "$label")" ]; then
    echo "volumes: containers of $project run; stop them first:" \
        "docker compose -f docker-compose.temporal.yml -p $project stop" >&2
    exit 1
fi

within() {
    volume="$1"
    shift
    docker run --rm --interactive --network none --user 0 --entrypoint tar \
        --volume "$volume:/volume" "$image" -C /volume "$@"
}

case "$verb" in
    save)
        umask 077
        mkdir -p "$directory"
        for volume in $(docker volume ls --quiet --filter "$label"); do
            archive="$directory/${volume#"${project}"_}.tar"
            within "$volume" --create --file - . > "$archive.part"
            mv "$archive.part" "$archive"
            echo "volumes: saved $volume"
        done
        ;;
    restore)
        for archive in "$directory"/*.tar; do
            name="$(basename "$archive" .tar)"
            volume="${project}_$name"
            # As compose would have made it, so that it takes it for its own.
            docker volume create --label "com.docker.compose.project=$project" \
                --label "com.docker.compose.volume=$name" "$volume" > /dev/null
            within "$volume" --extract --file - < "$archive"
            echo "volumes: restored $volume"
        done
        ;;
    *) usage ;;
esac
