#!/bin/sh
# Fetches Debian's source package of Redis, for its test suite.
#
#   sh tests/conformance/fetch_source.sh FOLDER
#
# FOLDER/redis is the unpacked source afterwards. A folder that has it is left as it is. apt gets
# lists and caches of its own in FOLDER: those of the system are neither read nor changed, and no
# root is needed.

set -eu

say() { printf 'conformance: %s\n' "$*" >&2; }
fail() {
  say "$*"
  say "the source package of redis is needed: without it no test of Redis's own suite can run"
  exit 1
}

[ $# -eq 1 ] || fail "usage: fetch_source.sh FOLDER"
mkdir -p "$1"
folder=$(CDPATH='' cd -- "$1" && pwd)
[ -e "$folder/redis/tests/test_helper.tcl" ] && exit 0

for program in apt-get dpkg-source redis-server redis-cli redis-benchmark tclsh; do
  command -v $program >/dev/null || fail "$program is not installed"
done

work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/sources" "$work/state/lists/partial" "$work/cache/archives/partial" "$work/src"

# The system's own entries for Debian, with sources for binaries.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  [ -r "$file" ] || continue
  grep -Eq '^[^#]*(debian|ubuntu)' "$file" || continue
  case $file in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/sources/${file##*/}" ;;
    *.list) sed -n 's/^deb /deb-src /p' "$file" >"$work/sources/${file##*/}" ;;
  esac
done
[ -n "$(ls "$work/sources")" ] || fail "/etc/apt names no source of Debian packages"

apt() {
  apt-get -q \
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" \
    -o Dir::State="$work/state" -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@" >&2
}

say "fetching the source package of redis"
apt update || fail "apt-get update failed"
(cd "$work/src" && apt source redis) || fail "apt-get source redis failed"
set -- "$work"/src/redis-*/
[ -e "$1/tests/test_helper.tcl" ] || fail "the source package has no tests/test_helper.tcl"

# The suite looks for these by this path.
for program in redis-server redis-cli redis-benchmark; do
  ln -s "$(command -v $program)" "$1/src/$program"
done
# Another process may have been faster.
[ -e "$folder/redis" ] || mv "$1" "$folder/redis"
say "Redis's test suite is in $folder/redis"
