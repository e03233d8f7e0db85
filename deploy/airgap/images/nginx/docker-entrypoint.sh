#!/bin/sh
# Before nginx: the scripts of /docker-entrypoint.d, in the order of their names.
set -eu

if [ "${1:-}" = nginx ]; then
    for script in /docker-entrypoint.d/*.sh; do
        if [ -x "$script" ]; then
            "$script"
        fi
    done
fi
exec "$@"
