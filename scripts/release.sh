#!/usr/bin/env bash
# Makes what is published: a static tarball, a Debian package, and their checksums.
#
#   scripts/release.sh [--output FOLDER]                           default: target/release-files
#   scripts/release.sh --program FILE --pages FILE [--output FOLDER]
#
# The first builds the program: one static file (glibc, no musl), link-time optimised, without the paths of the machine
# that built it; shows that it is static and that its demo holds; then packs it. The second packs a program that is there
# already, with man pages written by the example `packaging-pages`: that is how tests/packaging.rs tries the packing.
#
# The same commit, built with the same tools, gives the same bytes, whoever builds it and in whatever folder: BUILT-WITH says
# which tools these were. Flags of the environment's are not used; paths are taken out; times are SOURCE_DATE_EPOCH (default:
# of the commit), owners are root, orders are fixed. docs/RELEASING.md has how to repeat it, and how to look at the result.
#
# Needs cargo, git, dpkg-deb, tar, gzip, xz and binutils, and cc with a static libc (libc6-dev) to build.
set -Eeuo pipefail
umask 022
export LC_ALL=C TZ=UTC

cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly TARGET=x86_64-unknown-linux-gnu
readonly maintainer='The caponier authors <caponier@localhost>'

die() {
    printf 'release: %s\n' "$*" >&2
    exit 1
}
usage() {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit "$1"
}

program='' pages='' output=''
while [ $# -gt 0 ]; do
    case $1 in
        --program) program=${2:?} ;;
        --pages) pages=${2:?} ;;
        --output) output=${2:?} ;;
        --help) usage 0 ;;
        *) usage 64 >&2 ;;
    esac
    shift 2
done
if [ -n "$program" ] && [ -z "$pages" ] || [ -z "$program" ] && [ -n "$pages" ]; then usage 64 >&2; fi
output=${output:-target/release-files}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | sed -n 1p)
[ -n "$version" ] || die "Cargo.toml has no version"
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)} || die "no SOURCE_DATE_EPOCH, and no commit to take it from"
export SOURCE_DATE_EPOCH=$epoch

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

# What a machine has of its own, and what stands in the program instead of it. Where several fit, the last one counts.
paths=()
remap() { paths+=("$1"); flags+=("--remap-path-prefix=$1=$2"); }

# The program, as `program`, and the writer of the man pages, as `pages`.
build() {
    local changes cargo built rust flags path
    changes=$(git status --porcelain)
    [ -z "$changes" ] || die "there are changes that are not committed, and what is released is a commit:
$changes"
    # What is compiled, and how, is said by the commit alone.
    unset -v CARGO_INCREMENTAL RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS CARGO_BUILD_TARGET
    # shellcheck disable=SC2046 # names of variables are words
    unset -v $(compgen -e | grep -E '^CARGO_(PROFILE_|TARGET_X86_|BUILD_RUST|ENCODED_RUST)' || true)
    cargo fetch --locked --target "$TARGET"

    rust=$(rustc -vV | sed -n 's/^commit-hash: //p')
    cargo=$(cd -P -- "${CARGO_HOME:-$HOME/.cargo}" && pwd)
    built=${CARGO_TARGET_DIR:-$PWD/target}
    mkdir -p "$built"
    built=$(cd -P -- "$built" && pwd)
    flags=(-Ctarget-feature=+crt-static -Clinker=cc)
    remap "$PWD" /caponier
    remap "$built" /caponier/target
    remap "$cargo" /cargo
    # Its name is made of the registry's address, and mirrors have others.
    for path in "$cargo"/registry/src/*; do remap "$path" /cargo/registry; done
    # Where the sources of the standard library are installed, they are named in the place of those that it was built from.
    remap "$(rustc --print sysroot)/lib/rustlib/src/rust" "/rustc/$rust"

    CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' "${flags[@]}" | sed 's/\x1f$//') \
        cargo build --locked --release --target-dir "$built" --target "$TARGET" --bin caponier
    cargo build --locked --target-dir "$built" --example packaging-pages
    program=$built/$TARGET/release/caponier pages=$built/debug/examples/packaging-pages

    ! readelf --program-headers "$program" | grep INTERP >/dev/null || die "$program is not static"
    for path in "${paths[@]}"; do
        ! grep -qF -e "$path/" "$program" || die "$program names a folder of this machine: $path"
    done
    "$program" demo >"$scratch/demo" || die "the demo does not hold here: $(cat "$scratch/demo")"

    cargo metadata --locked --format-version 1 --filter-platform "$TARGET" |
        "$pages" --licences >"$scratch/licences/CRATES"
    libraries >"$scratch/licences/LIBRARIES"
    built_with >"$scratch/built-with"
}

# What is linked in besides crates.
libraries() {
    local text
    cat <<'END'
The program holds, besides the crates of LICENCES-OF-CRATES:

- the standard library of Rust: MIT or Apache-2.0, as you like (LICENSE-MIT and LICENSE-APACHE have these texts), with parts of
  others under permissive licences: https://github.com/rust-lang/rust/blob/master/COPYRIGHT
- the unwinder of GCC (libgcc): GPL-3.0 or later with the GCC Runtime Library Exception, which lets a program like this one
  have a licence of its own
- the GNU C Library: LGPL-2.1 or later, and the licences of its parts, all below. With the sources of caponier, and your own
  version of that library in the place of libc.a, scripts/release.sh makes the same program with your version in it.
END
    for text in /usr/share/doc/libc6/copyright /usr/share/common-licenses/LGPL-2.1; do
        [ -f "$text" ] || die "$text is not there, and has to be in the packages"
        printf '\n%s\n\n' "$(printf '=%.0s' {1..80})"
        cat "$text"
    done
}

# All that the bytes depend on. (The linker comes with rustc. No `head`: who writes to it is killed where it has seen enough.)
built_with() {
    local file
    printf 'commit %s\n' "$(git rev-parse HEAD)"
    rustc --version
    cargo --version
    cc --version | sed -n 1p
    strip --version | sed -n 1p
    dpkg-deb --version | sed -n 1p
    tar --version | sed -n 1p
    gzip --version | sed -n 1p
    xz --version | sed -n 1p
    for file in rcrt1.o crti.o crtbeginS.o crtendS.o crtn.o libc.a libm.a libgcc.a libgcc_eh.a; do
        (cd -- "$(dirname -- "$(cc -print-file-name=$file)")" && sha256sum "$file")
    done
}

mkdir "$scratch/licences"
[ -n "$program" ] || build
[ "$("$program" --version)" = "caponier $version" ] || die "$program is not caponier $version"

# What both packages hold, in one folder as in the other.
share=$scratch/share
mkdir -p "$share/man" "$share/completions"
"$pages" "$share/man"
"$program" completions bash >"$share/completions/caponier.bash"
"$program" completions zsh >"$share/completions/_caponier"
"$program" completions fish >"$share/completions/caponier.fish"
strip --strip-all --remove-section=.comment -o "$scratch/caponier" "$program"

# docs TO: pages, licences and profiles, which name docs/profile.schema.json beside them.
docs() {
    mkdir -p "$1"
    cp README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE "$1"
    cp -R docs profiles "$1"
    # What is packed without having been built here has them where it was built.
    for text in "$scratch"/licences/*; do [ ! -e "$text" ] || cp "$text" "$1/LICENCES-OF-${text##*/}"; done
}

# One time and one mode for everything below a folder.
settle() {
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -type f ! -perm -u+x -exec chmod 644 {} +
    find "$1" -type f -perm -u+x -exec chmod 755 {} +
    find "$1" -exec touch --no-dereference --date="@$epoch" {} +
}

mkdir -p "$output"
output=$(cd -- "$output" && pwd)

name=caponier-$version-x86_64-linux
tree=$scratch/$name
mkdir -p "$tree"
install -m 755 "$scratch/caponier" "$tree/caponier"
docs "$tree"
cp -R "$share/man" "$share/completions" "$tree"
settle "$tree"
tar --create --directory "$scratch" --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner "$name" |
    gzip --no-name -9 >"$output/$name.tar.gz"

deb=$scratch/deb
mkdir -p "$deb/DEBIAN" "$deb/usr/bin" "$deb/usr/share/man/man1" "$deb/usr/share/bash-completion/completions" \
    "$deb/usr/share/zsh/vendor-completions" "$deb/usr/share/fish/vendor_completions.d"
install -m 755 "$scratch/caponier" "$deb/usr/bin/caponier"
gzip --no-name -9 --keep "$share"/man/*.1
mv "$share"/man/*.gz "$deb/usr/share/man/man1"
cp "$share/completions/caponier.bash" "$deb/usr/share/bash-completion/completions/caponier"
cp "$share/completions/_caponier" "$deb/usr/share/zsh/vendor-completions/_caponier"
cp "$share/completions/caponier.fish" "$deb/usr/share/fish/vendor_completions.d/caponier.fish"
docs "$deb/usr/share/doc/caponier"
cat >"$deb/usr/share/doc/caponier/copyright" <<EOF
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: caponier

Files: *
Copyright: 2026 The caponier authors
License: MIT or Apache-2.0
 The texts are LICENSE-MIT and LICENSE-APACHE in this folder.
 The program holds crates of others under permissive licences, and the GNU C
 Library: LICENCES-OF-CRATES and LICENCES-OF-LIBRARIES.
EOF
gzip --no-name -9 >"$deb/usr/share/doc/caponier/changelog.Debian.gz" <<EOF
caponier ($version-1) unstable; urgency=medium

  * What changed for users is in CHANGELOG.md.

 -- $maintainer  $(date --rfc-email --date="@$epoch")
EOF
mkdir -p "$deb/usr/share/lintian/overrides"
cat >"$deb/usr/share/lintian/overrides/caponier" <<'EOF'
# README.md and others lead to it by this name.
caponier: wrong-name-for-upstream-changelog
# It is a program and no library, and static.
caponier: shared-library-lacks-prerequisites
# The project has no address for mail.
caponier: bogus-mail-host
caponier: bogus-mail-host-in-debian-changelog
# Debian did not ask for it.
caponier: initial-upload-closes-no-bugs
# Bytes of machine code that look like words.
caponier: spelling-error-in-binary
EOF
# A program of somebody's own build may need its C library; ours does not.
depends=
if readelf --program-headers "$scratch/caponier" | grep INTERP >/dev/null; then
    depends='Depends: libc6, libgcc-s1
'
fi
size=$(find "$deb/usr" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
cat >"$deb/DEBIAN/control" <<EOF
Package: caponier
Version: $version-1
Architecture: amd64
Maintainer: $maintainer
Installed-Size: $size
${depends}Section: admin
Priority: optional
Description: runs a local MCP server in a pen
 Confined by Landlock and seccomp, judged at every message, recorded on one
 timeline. Needs Linux 6.7 or later, and no privilege.
EOF
(cd "$deb" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
settle "$deb"
# Threads cut what is compressed into blocks, which a machine with other processors would cut otherwise.
DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$deb" "$output/caponier_$version-1_amd64.deb" >&2

files=("$name.tar.gz" "caponier_$version-1_amd64.deb")
if [ -e "$scratch/built-with" ]; then
    install -m 644 "$scratch/built-with" "$output/BUILT-WITH"
    files+=(BUILT-WITH)
fi
(cd "$output" && sha256sum "${files[@]}" >SHA256SUMS)
printf 'release: %s bytes, the program alone\n' "$(stat -c %s "$scratch/caponier")" >&2
(cd "$output" && stat -c 'release: %s bytes, %n' "$name.tar.gz" "caponier_$version-1_amd64.deb") >&2
cat "$output/SHA256SUMS"
