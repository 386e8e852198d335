#!/bin/bash
# Whether the program in this container answers: /healthz on METRICS_PORT, which says 200 while the process lives. Without a port there is nothing to ask.
# The image has no curl.
[ "${METRICS_PORT:-0}" != 0 ] || exit 0
exec 3<>"/dev/tcp/127.0.0.1/$METRICS_PORT" || exit 1
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
