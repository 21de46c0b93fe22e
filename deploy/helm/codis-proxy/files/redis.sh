#!/bin/sh
# Starts redis-server in a container; `ping` as its first word: asks the one that runs.
#
# Its settings are its flags, and win at each start. Its file has what must outlive it: the password, which
# no list of processes may show, and whom it follows, which the dashboard has it write there.

set -eu

secret=${REDIS_PASSWORD_FILE:-/run/secrets/codis-redis/redis_password}
data=${REDIS_DATA:-/data}
port=${REDIS_PORT:-6379}
password=$(head -n 1 "$secret")

if [ "${1-}" = ping ]; then
  [ "$(REDISCLI_AUTH=$password redis-cli -p "$port" ping)" = PONG ]
  exit
fi

umask 077
quoted=$(printf %s "$password" | sed 's/[\\"]/\\&/g')
followed=$(sed -n '/^\(replicaof\|slaveof\) /p' "$data/redis.conf" 2>/dev/null || true)
printf 'requirepass "%s"\nmasterauth "%s"\n%s\n' "$quoted" "$quoted" "$followed" >"$data/redis.conf.new"
mv "$data/redis.conf.new" "$data/redis.conf"
exec redis-server "$data/redis.conf" --port "$port" --dir "$data" --appendonly yes \
  --repl-diskless-sync yes --replica-announce-ip "$(hostname -f)" "$@"
