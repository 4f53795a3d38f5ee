# What every script here starts with: where we are, how we speak, how we find Postgres.
# Sourced, never run.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The folder of the newest Postgres here; the server searches in the same order.
postgres_bin() {
    local folder
    for folder in \
        "${PG_BIN:-}" \
        $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort --version-sort --reverse) \
        "$(dirname "$(command -v postgres 2>/dev/null || echo /nowhere/postgres)")" \
        "$root/target/postgres/bin"; do
        if [ -n "$folder" ] && [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ]; then
            echo "$folder"
            return
        fi
    done
    return 1
}

# Postgres refuses to run as root: then it runs as somebody who may do nothing else.
postgres_user() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        local user; user=$(postgres_user)
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"
    else
        "$@"
    fi
}

# Like `as_postgres`, for a server: it stops when the script that started it is gone.
serve_postgres() {
    if [ "$(id -u)" = 0 ]; then
        local user; user=$(postgres_user)
        exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --pdeathsig INT "$@"
    elif have setpriv; then
        exec setpriv --pdeathsig INT "$@"
    else
        exec "$@"
    fi
}

# Migrations in order, each in its own transaction, as the server applies them.
migrate() {
    local url=$1 file
    for file in "$root"/migrations/*.sql; do
        [ -e "$file" ] || continue
        PGOPTIONS='-c client_min_messages=warning' \
            "$pg/psql" --quiet --no-psqlrc --output /dev/null --single-transaction --set ON_ERROR_STOP=1 --file "$file" "$url" ||
            die "the migration $(basename "$file") fails"
    done
}
