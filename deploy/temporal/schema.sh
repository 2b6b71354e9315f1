#!/bin/sh
# Makes Temporal's two databases, or brings their schemas up to this version; both are
# safe to repeat. Runs in temporalio/admin-tools, before the server starts.
set -eu

SQL_PASSWORD="$(cat /run/secrets/postgres_password)"
export SQL_PASSWORD
schemas=/etc/temporal/schema/postgresql/v12

tool() {
    database="$1"
    shift
    temporal-sql-tool --plugin postgres12 --ep "$SQL_HOST" -p 5432 -u "$SQL_USER" \
        --db "$database" "$@"
}

for database in temporal temporal_visibility; do
    kind="${database#temporal_}"
    # Only the first of all starts finds nothing there.
    if ! tool "$database" update-schema -d "$schemas/$kind/versioned"; then
        tool "$database" create
        tool "$database" setup-schema -v 0.0
        tool "$database" update-schema -d "$schemas/$kind/versioned"
    fi
done
