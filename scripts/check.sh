#!/usr/bin/env bash
# Everything that must hold before a change lands: format, lints, every test as root and as an ordinary user.
#
#   scripts/check.sh                  what CI runs
#   scripts/check.sh --without-root   accepts that the half of the tests that runs as root is left out
#
# Started as root, it makes the ordinary user (caponier-test) itself; started by an ordinary user, it needs `sudo -n`
# for the other half. The tests are built once; both users run the same binaries, each with a fresh HOME and nothing
# else of anybody's environment. A test that cannot run has failed: nothing here is skipped in silence.
set -Eeuo pipefail
umask 022
export LC_ALL=C.UTF-8 CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-2} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

readonly ORDINARY_USER=caponier-test
readonly DEADLINE=1200 # seconds for one test binary

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"

without_root=no
for argument in "$@"; do
    case $argument in
        --without-root) without_root=yes ;;
        *)
            sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
            [ "$argument" = --help ] && exit 0
            exit 64
            ;;
    esac
done

step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
die() {
    printf 'check: %s\n' "$*" >&2
    exit 1
}

scratch=$(mktemp -d /tmp/caponier-check.XXXXXX)
chmod 755 "$scratch"
staged=
cleanup() { rm -rf -- "$scratch" ${staged:+"$staged"}; }
trap cleanup EXIT

i_am_root() { [ "$(id -u)" = 0 ]; }

# as root|ordinary COMMAND...: with that user's rights and only the environment given after it.
as() {
    local who=$1
    shift
    if [ "$who" = root ] && ! i_am_root; then
        sudo -n -- "$@"
    elif [ "$who" = ordinary ] && i_am_root; then
        setpriv --reuid "$ORDINARY_USER" --regid "$ORDINARY_USER" --init-groups --reset-env -- "$@"
    else
        "$@"
    fi
}

step "toolchain"
for tool in cargo rustc; do
    command -v "$tool" >/dev/null || die "$tool is missing: the Rust toolchain, 1.95 or later, is needed"
done
cargo fmt --version || die "rustfmt is missing: rustup component add rustfmt"
cargo clippy --version || die "clippy is missing: rustup component add clippy"
rustc --version

root_half=yes
if i_am_root; then
    id "$ORDINARY_USER" >/dev/null 2>&1 || useradd --create-home "$ORDINARY_USER" ||
        die "the ordinary user $ORDINARY_USER could not be made"
elif [ "$without_root" = yes ] || ! sudo -n true 2>/dev/null; then
    root_half=no
fi

# The ordinary user must be able to read what it runs. Under a folder that is root's alone, a copy is checked.
if ! as ordinary test -r "$repo/Cargo.toml" 2>/dev/null; then
    step "a copy that $ORDINARY_USER can read"
    staged=$(mktemp -d /var/tmp/caponier-check.XXXXXX)
    chmod 755 "$staged"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory="$staged"
    chmod -R a+rX "$staged"
    unset CAPONIER_PEERS CARGO_TARGET_DIR
    repo=$staged
    cd "$repo"
fi

step "peers"
export CAPONIER_PEERS=${CAPONIER_PEERS:-$repo/.peers}
scripts/peers.sh

step "format"
cargo fmt --check

step "lints"
cargo clippy --locked --profile ci --all-targets --quiet -- -D warnings

step "build"
cargo test --locked --profile ci --no-run --message-format json-render-diagnostics >"$scratch/build.json"
# Lines "name<TAB>path" of the test binaries, and the path of the program.
field() {
    node -e '
        const lines = require("fs").readFileSync(process.argv[1], "utf8").split("\n").filter(Boolean).map(l => JSON.parse(l));
        for (const { reason, executable, profile, target } of lines) {
            if (reason !== "compiler-artifact" || !executable) continue;
            const kind = profile.test ? "test" : target.kind[0];
            const name = target.kind[0] === "test" ? target.name : `${target.name}-${target.kind[0]}`;
            if (kind === process.argv[2]) console.log(`${name}\t${executable}`);
        }' "$scratch/build.json" "$1"
}
field test | sort >"$scratch/tests"
caponier=$(field bin | cut -f 2)
[ -s "$scratch/tests" ] && [ -x "$caponier" ] || die "cargo built no tests, or no program"
as ordinary test -x "$caponier" || die "$caponier cannot be executed by an ordinary user"
cargo metadata --locked --offline --format-version 1 \
    --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" >"$scratch/metadata.json"
chmod a+r "$scratch/metadata.json"

passed=0 failed=0 ignored=0
# Adds up the `test result:` lines of a log; a log without one is a failure.
count() {
    local log=$1 status=$2 line sum_passed=0 sum_failed=0 sum_ignored=0 results=0
    while read -r line; do
        results=$((results + 1))
        sum_passed=$((sum_passed + $(sed -n 's/.* \([0-9]*\) passed;.*/\1/p' <<<"$line")))
        sum_failed=$((sum_failed + $(sed -n 's/.* \([0-9]*\) failed;.*/\1/p' <<<"$line")))
        sum_ignored=$((sum_ignored + $(sed -n 's/.* \([0-9]*\) ignored;.*/\1/p' <<<"$line")))
    done < <(grep '^test result:' "$log" || true)
    # Killed, timed out, or crashed before it could say how it went.
    if [ "$status" != 0 ] && [ "$sum_failed" = 0 ] || [ "$results" = 0 ]; then
        sum_failed=$((sum_failed + 1))
    fi
    passed=$((passed + sum_passed)) failed=$((failed + sum_failed)) ignored=$((ignored + sum_ignored))
    printf '%4d passed, %d failed, %d ignored' "$sum_passed" "$sum_failed" "$sum_ignored"
    [ "$sum_failed" = 0 ]
}

# run_tests root|ordinary: every test binary, as that user.
run_tests() {
    local who=$1 name binary home log status began path
    home=$scratch/home-$who
    as "$who" mkdir -m 700 "$home" 2>/dev/null || {
        mkdir -m 700 "$home"
        chown "$ORDINARY_USER:" "$home"
    }
    path=$(dirname "$(command -v node)"):/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
    while IFS=$'\t' read -r name binary; do
        log=$scratch/$who-$name.log
        began=$SECONDS
        status=0
        printf '%-8s %-28s ' "$who" "$name"
        as "$who" env -i HOME="$home" PATH="$path" LANG=C.UTF-8 TERM=dumb RUST_BACKTRACE=0 \
            CARGO_MANIFEST_DIR="$repo" CAPONIER_BIN="$caponier" CAPONIER_PEERS="$CAPONIER_PEERS" \
            CAPONIER_METADATA="$scratch/metadata.json" ${CI:+CI="$CI"} \
            timeout --kill-after=30 "$DEADLINE" "$binary" </dev/null >"$log" 2>&1 || status=$?
        count "$log" "$status" && printf ' (%d s)\n' $((SECONDS - began)) || {
            printf ' (%d s, status %d)\n' $((SECONDS - began)) "$status"
            sed 's/^/    /' "$log"
        }
    done <"$scratch/tests"
}

step "tests as an ordinary user"
run_tests ordinary
if [ "$root_half" = yes ]; then
    step "tests as root"
    run_tests root
fi

step "examples in the documentation"
status=0
cargo test --locked --profile ci --doc >"$scratch/doc.log" 2>&1 || status=$?
printf '%-8s %-28s ' "" doc
count "$scratch/doc.log" "$status" && echo || sed 's/^/    /' "$scratch/doc.log"

step "result"
verdict=0
if [ "$ignored" != 0 ]; then
    echo "check: $ignored tests are marked as ignored; a test runs, or it is deleted" >&2
    verdict=1
fi
if [ "$root_half" = no ] && [ "$without_root" = no ]; then
    echo "check: the tests did not run as root: this is not root, and \`sudo -n\` is refused." >&2
    echo "check: run this as root, or accept the missing half with --without-root." >&2
    verdict=1
elif [ "$root_half" = no ]; then
    echo "check: as you asked, the tests did not run as root"
fi
[ "$failed" = 0 ] || verdict=1
printf '%d passed, %d failed\n' "$passed" "$failed"
exit "$verdict"
