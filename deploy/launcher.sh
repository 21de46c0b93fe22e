#!/bin/sh
# codis-proxy @VERSION@ for @SYSTEM@: the program, and Deno to run it, in one file.
#
# The first start unpacks both into a folder of this user that is named after their content; every
# start runs them from there, in place of this shell. Folders are tried in this order: under
# XDG_CACHE_HOME, under ~/.cache, under TMPDIR or /tmp. What root has unpacked, as into an image, is
# used by all users, and may be on a disk that nobody can write to.
#
# Each process holds a shared lock on the folder that it runs from. Who unpacks another version removes
# those that nobody holds and that were not started for a day: two versions of an upgrade both stay.

set -eu

id=@ID@        # the content of the payload
offset=@OFFSET@ # its first byte in this file, counted from 1
files="@FILES@" # what is in it, main.js among them

fail() { printf 'codis-proxy: %s\n' "$*" >&2; exit 1; }

missing=
for program in uname id ls mkdir tail tar gzip mv rm; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || fail "not found in PATH (\"${PATH-}\"):$missing"

[ "$(uname -sm)" = "@SYSTEM@" ] || fail "built for @SYSTEM@, this machine is $(uname -sm)"

self=$0
[ -f "$self" ] || self=$(command -v -- "$0") || fail "cannot find myself as \"$0\""

# Unpacks into the folder, one file after the other put in place by rename: a second start at the
# same time does the same with the same content, and neither sees half a file.
unpack() {
  part="$1/.part.$$"
  trap 'rm -rf "$part"' EXIT
  trap 'exit 130' INT TERM HUP
  rm -rf "$part" && mkdir "$part" || return 1
  tail -c "+$offset" "$self" | tar -xzf - -C "$part" || return 1
  # A folder may be mounted without the right to run anything in it.
  "$part/deno" --version >/dev/null || return 1
  mv -f "$part"/* "$1/" || return 1
  rm -rf "$part"
  trap - EXIT INT TERM HUP
}

# Removes what other versions have unpacked beside $1; see the top. It needs to be sure, and goes without otherwise.
clean() {
  command -v flock >/dev/null && command -v find >/dev/null && [ -e /proc/self/exe ] || return 0
  for old in "${1%/*}"/????????????????; do
    [ "$old" != "$1" ] && [ -d "$old" ] && [ ! -L "$old" ] && [ -O "$old" ] || continue
    if [ -f "$old/.lock" ]; then
      [ -n "$(find "$old/.lock" -mtime +0)" ] || continue
    else
      # An earlier launcher made it, which held no lock.
      [ -n "$(find "$old" -prune -mtime +29)" ] || continue
    fi
    ! is_run "$old" || continue
    # Who starts it at this moment waits for the lock, finds nothing, and unpacks it again.
    (exec 8>>"$old/.lock" && flock -n -x 8 && rm -rf "$old") || true
  done
}

# Whether a process runs from a folder, as far as this user can see.
is_run() {
  for exe in /proc/[0-9]*/exe; do
    # shellcheck disable=SC3013 # every shell that is sh on Linux knows -ef
    [ ! "$exe" -ef "$1/deno" ] || return 0
  done
  return 1
}

# Whether the folder of root holds the program, and root only can write to it.
is_roots() {
  for file in $files; do [ -f "$1/$file" ] || return 1; done
  # shellcheck disable=SC2086 # one word for each file
  (CDPATH='' cd -- "$1" && LC_ALL=C ls -ldn . $files) 2>/dev/null | while read -r mode _ owner _; do
    case "$mode $owner" in
      [d-]????-??-?*' 0') ;;
      *) exit 1 ;;
    esac
  done
}

# Whether a folder of ours holds the program, if need be after unpacking it there.
prepare() {
  app="$1/$id"
  ! is_roots "$app" || return 0
  mkdir -p "$1" 2>/dev/null && [ -O "$1" ] && [ -w "$1" ] || return 1
  # Others may write to /tmp: the folder must be ours, and a folder.
  (umask 077 && mkdir "$app" 2>/dev/null) || { [ -d "$app" ] && [ ! -L "$app" ]; } || return 1
  [ -O "$app" ] && [ -w "$app" ] || return 1
  for file in $files; do
    [ -f "$app/$file" ] || { unpack "$app" && { clean "$app" || true; }; return; }
  done
}

# Holds the folder until the program ends, if it can be held; fails when it was removed meanwhile.
hold() {
  # That it was started is known by the time of this file.
  (: >"$app/.lock") 2>/dev/null || true
  if [ -r "$app/.lock" ] && command -v flock >/dev/null; then
    exec 9<"$app/.lock"
    flock -s 9 || true
  fi
  for file in $files; do [ -f "$app/$file" ] || return 1; done
}

# A subshell, so that what goes wrong in one folder is forgotten in the next.
use() { ! (prepare "$1") || app="$1/$id"; }
choose() {
  app=
  [ -z "${XDG_CACHE_HOME-}" ] || use "$XDG_CACHE_HOME/codis-proxy"
  [ -n "$app" ] || [ -z "${HOME-}" ] || use "$HOME/.cache/codis-proxy"
  [ -n "$app" ] || use "${TMPDIR:-/tmp}/codis-proxy-$(id -u)"
  [ -n "$app" ] || fail "no folder to unpack into: set XDG_CACHE_HOME to one that can be written to"
}
choose
hold || { choose && hold; } || fail "$app was removed while this started: start it again"

# What Deno keeps between starts, compiled code above all, lies beside the program.
: "${DENO_DIR:=$app/cache}"
export DENO_DIR DENO_NO_UPDATE_CHECK=1
# By default Deno looks for I/O in every 61st round only while there is work: a client may wait for long.
: "${DENO_TOKIO_EVENT_INTERVAL:=1}"
# Memory for large values goes back to the system as soon as it is free. By default the C library gives
# back only what lies above all that is still used.
: "${MALLOC_MMAP_THRESHOLD_:=65536}"
export DENO_TOKIO_EVENT_INTERVAL MALLOC_MMAP_THRESHOLD_
# Deno reads ~/.npmrc, of no use here, and will not start when it cannot: it gets a HOME without one.
export HOME="$app"

# Called by the name of Codis 2.0's own program, by a link, it is that.
case ${0##*/} in codis-config) set -- config "$@" ;; esac

more=
case ${1-} in demo | import) more="@DEMO_FLAGS@" ;; esac
for word in "$@"; do
  [ "$word" != --take-over ] || more="@TAKE_OVER_FLAGS@"
done

# shellcheck disable=SC2086 # one word for each flag, or none
exec "$app/deno" run --quiet --no-config --no-lock --no-remote --no-npm @FLAGS@ $more \
  "$app/main.js" "$@"
exit 1 # the payload follows
