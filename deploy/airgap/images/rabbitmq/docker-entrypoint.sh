#!/bin/bash
# Becomes the node, as user rabbitmq.
set -euo pipefail

if [ "${1:-}" = rabbitmq-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find /var/lib/rabbitmq /var/log/rabbitmq ! -user rabbitmq -exec chown rabbitmq: '{}' +
        exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    if [ -n "${RABBITMQ_ERLANG_COOKIE:-}" ] || [ ! -s "$HOME/.erlang.cookie" ]; then
        # A better one than Erlang would make; it refuses one that others may read.
        rm -f "$HOME/.erlang.cookie"
        (umask 077 && printf '%s' "${RABBITMQ_ERLANG_COOKIE:-$(openssl rand -hex 24)}" > "$HOME/.erlang.cookie")
    fi
fi
exec "$@"
