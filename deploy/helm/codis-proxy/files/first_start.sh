#!/bin/sh
# Tells a cluster of its servers: a word for each group, HOST:PORT,HOST:PORT,…, from group 1 on; the first
# server of a new group is its master. Slots that nobody has are spread over these groups. What is stored
# already stays as it is, so it may be run at any time, as often as wanted.

set -eu

codis() { codis-proxy config -c "${CODIS_CONFIG:-/etc/codis-proxy/config.ini}" --dashboard-wait=300 --output=json "$@"; }

known=$(codis server list)
group=0
for servers; do
  group=$((group + 1))
  role=master
  for server in $(echo "$servers" | tr , ' '); do
    case $known in
      *"\"$server\""*) ;;
      *)
        echo "group $group: adding $server as $role"
        codis server add $group "$server" $role
        ;;
    esac
    role=slave
  done
done

# There are all slots, or none.
codis slot info 0 >/dev/null 2>&1 || codis slot init
from=0
for group in $(seq $#); do
  to=$((group * 1024 / $# - 1))
  case $(codis slot info $from | tr -d ' \n') in
    *'"group_id":-1'*)
      echo "group $group: slots $from to $to"
      codis slot range-set $from $to "$group" online
      ;;
  esac
  from=$((to + 1))
done
