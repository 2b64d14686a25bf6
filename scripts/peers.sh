#!/bin/sh
# Installs the real MCP servers and clients that the tests and the benches talk to, at pinned versions.
#
#   scripts/peers.sh [--bench] [FOLDER]      FOLDER: default $CAPONIER_PEERS, else .peers beside Cargo.toml
#
# With --bench also what only scripts/bench.sh compares with.
#
# Layout (tests rely on it):
#   npm/servers/node_modules   server-{everything,filesystem,memory,sequential-thinking}
#   npm/earlier/node_modules   server-{filesystem,memory} of the year before, for what an upgrade changes
#   npm/sdk/node_modules       @modelcontextprotocol/sdk     (the TypeScript client of the legacy era)
#   npm/client/node_modules    @modelcontextprotocol/client  (the one of both eras)
#   npm/clients/node_modules   what reads clients' configurations: Claude Code, Codex, Gemini CLI, opencode, and two parsers
#   npm/browser/node_modules   playwright-core, which drives the Chromium of Debian's package
#   npm/kubernetes/node_modules  kubernetes-mcp-server, and its program for Linux on x86-64
#   npm/playwright/node_modules  @playwright/mcp, which drives the Chromium of Debian's package
#   npm/context7/node_modules  @upstash/context7-mcp
#   python/client              venv with mcp
#   python/servers             venv with mcp-server-git and mcp-server-time
#   python/earlier             venv with the mcp-server-git of the year before
#   python/sqlite              venv with mcp-server-sqlite, which wants mcp below 2
#   python/fetch               venv with mcp-server-fetch, and what its readabilipy has node do
#   python/github              venv with github-mcp-server: the program that GitHub makes, from a package of PyPI
#   json-schema-suite          the official JSON-Schema-Test-Suite
#   python/network             venv with requests and httpx
#   python/readers             venv with what reads exports: jsonschema, ocsf-json-schema, opentelemetry-proto
#   bench/node_modules         with --bench: @anthropic-ai/sandbox-runtime, and the node that it needs
#   bench/python               with --bench: bastiongateway, a policy proxy for MCP
#   stamp                      digest of what they were made from: a second run does nothing
#
# The versions, and those of everything below them, stand in scripts/peers/. Registries, proxies and certificates
# are those that npm and pip are configured with. An ordinary user must be able to read and execute what is
# installed, also when root installed it: the tests run as both. Ends with status 1, and says what is missing, when
# anything is.
set -eu
umask 022

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
pins=$here/peers
with_bench=no
if [ "${1:-}" = --bench ]; then
    with_bench=yes
    shift
fi
peers=${1:-${CAPONIER_PEERS:-$(dirname -- "$here")/.peers}}

say() { printf 'peers: %s\n' "$*"; }
die() { printf 'peers: %s\n' "$*" >&2; exit 1; }

# Three tries: registries and mirrors have bad minutes.
retry() {
    for pause in 5 20 end; do
        "$@" && return 0
        [ "$pause" = end ] && break
        say "that failed; again in $pause s: $*"
        sleep "$pause"
    done
    return 1
}

# Debian packages: name:path of the file that shows it is there.
debian='
    binutils:/usr/bin/strip
    bubblewrap:/usr/bin/bwrap
    busybox-static:/usr/bin/busybox
    chromium:/usr/bin/chromium
    fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
    ca-certificates:/etc/ssl/certs/ca-certificates.crt
    curl:/usr/bin/curl
    fish:/usr/bin/fish
    gcc:/usr/bin/gcc
    git:/usr/bin/git
    iproute2:/sbin/ip
    libc6-dev:/usr/include/stdio.h
    man-db:/usr/bin/man
    musl-tools:/usr/bin/musl-gcc
    openssl:/usr/bin/openssl
    strace:/usr/bin/strace
    tmux:/usr/bin/tmux
    util-linux:/usr/bin/setpriv
    xdotool:/usr/bin/xdotool
    xvfb:/usr/bin/Xvfb
    xz-utils:/usr/bin/xz
    zenity:/usr/bin/zenity
    zsh:/usr/bin/zsh
'
[ "$with_bench" = no ] || debian="$debian
    ripgrep:/usr/bin/rg
    socat:/usr/bin/socat
"

missing_debian() {
    for entry in $debian; do
        [ -e "${entry#*:}" ] || printf '%s ' "${entry%%:*}"
    done
    # Only Debian's own python3 keeps its venv module in a package of its own.
    if [ -x /usr/bin/python3 ] && ! /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null; then
        printf 'python3-venv '
    fi
}

install_debian() {
    missing=$(missing_debian)
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        die "these are missing, and there is no apt-get to install them with (Debian's names): $missing"
    fi
    [ "$(id -u)" = 0 ] || die "these are missing; as root: apt-get install --no-install-recommends $missing"
    say "Debian packages: $missing"
    retry apt-get -qq update || die "apt-get update failed; needed: $missing"
    # shellcheck disable=SC2086  # the list is meant to be split
    retry env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null ||
        die "apt-get could not install: $missing"
    missing=$(missing_debian)
    [ -z "$missing" ] || die "still missing after apt-get: $missing"
}

# A python3 outside anyone's home: the venvs point to it, and another user must be able to follow.
find_python() {
    for python in /usr/bin/python3 /usr/local/bin/python3 "$(command -v python3 || true)"; do
        [ -x "$python" ] && "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && {
            printf '%s' "$python"
            return 0
        }
    done
    return 1
}

digest() {
    (cd "$here" && find peers peers.sh -type f -exec sha256sum {} + | LC_ALL=C sort -k 2 && node --version &&
        "$python" --version) | sha256sum | cut -d ' ' -f 1
}

# npm_tree NAME FOLDER
npm_tree() {
    say "npm: $1"
    mkdir -p "$2"
    cp "$pins/$1/package.json" "$pins/$1/package-lock.json" "$2/"
    # Everything by the lock file's integrity; no package gets to run a script.
    retry npm --prefix "$2" ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error >/dev/null ||
        die "npm could not install scripts/peers/$1/package.json (see above)"
}

python_tree() {
    tree=$peers/python/$1 constraints=$pins/$2
    shift 2
    say "pip: $*"
    "$python" -m venv "$tree" || die "$python -m venv failed"
    retry "$tree/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --constraint "$constraints" "$@" || die "pip could not install: $* (see above)"
}

# Only the suite is kept of the archive; nothing of the package is installed.
schema_suite() {
    say "pip: the JSON-Schema-Test-Suite"
    fetched=$peers/json-schema-suite.new
    rm -rf "$fetched"
    mkdir -p "$fetched"
    retry env PIP_CONSTRAINT="$pins/suite-build.txt" PIP_BUILD_CONSTRAINT="$pins/suite-build.txt" \
        "$peers/python/client/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
        --no-binary jsonschema --require-hashes --requirement "$pins/suite.txt" --dest "$fetched" ||
        die "pip could not download what scripts/peers/suite.txt names (see above)"
    tar -xzf "$fetched"/jsonschema-*.tar.gz -C "$fetched" --strip-components=2 --no-same-owner --wildcards '*/json/*' ||
        die "the archive of scripts/peers/suite.txt has no suite in it"
    [ -f "$fetched/tests/draft2020-12/ref.json" ] && [ -f "$fetched/tests/draft7/ref.json" ] ||
        die "the archive of scripts/peers/suite.txt has not the suite that was expected"
    rm -f "$fetched"/jsonschema-*.tar.gz
    mv "$fetched" "$peers/json-schema-suite"
}

install_debian
command -v node >/dev/null || die "node is missing: version 20 or later is needed"
command -v npm >/dev/null || die "npm is missing"
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' ||
    die "node is $(node --version): version 20 or later is needed"
python=$(find_python) || die "python3 (3.10 or later, with venv) is missing"

stamp=$(digest)
if [ "$with_bench" = yes ] && [ "$(cat "$peers/bench/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$peers/bench"
    npm_tree bench "$peers/bench"
    say "pip: a policy proxy to compare with"
    "$python" -m venv "$peers/bench/python" || die "$python -m venv failed"
    retry "$peers/bench/python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --requirement "$pins/bench-proxy.txt" || die "pip could not install scripts/peers/bench-proxy.txt (see above)"
    chmod -R a+rX "$peers/bench"
    printf '%s\n' "$stamp" >"$peers/bench/stamp"
fi
if [ "$(cat "$peers/stamp" 2>/dev/null)" = "$stamp" ]; then
    say "up to date in $peers"
    exit 0
fi

# Only what this script makes: the folder's name comes from outside.
rm -rf "$peers/stamp" "$peers/npm" "$peers/python" "$peers/json-schema-suite"
mkdir -p "$peers"
for tree in servers earlier sdk client clients browser kubernetes playwright context7; do
    npm_tree "$tree" "$peers/npm/$tree"
done
python_tree client constraints.txt mcp
python_tree servers constraints.txt mcp-server-git mcp-server-time
python_tree earlier earlier.txt mcp-server-git
python_tree fetch fetch.txt mcp-server-fetch
python_tree sqlite sqlite.txt mcp-server-sqlite
# readabilipy runs `npm install` in its own folder when it is first used; this is what that would leave, pinned.
npm_tree readability "$peers/npm/readability"
for folder in "$peers"/python/fetch/lib/python3.*/site-packages/readabilipy/javascript; do
    mv "$peers/npm/readability/node_modules" "$folder/"
done
# Made by GitHub, packed by somebody else: nothing but the file with the digest that was looked at.
python_tree github github.txt --requirement "$pins/github.txt"
python_tree network network.txt requests httpx
python_tree readers readers.txt jsonschema ocsf-json-schema opentelemetry-proto
schema_suite
chmod -R a+rX "$peers"
printf '%s\n' "$stamp" >"$peers/stamp"
say "installed in $peers"
