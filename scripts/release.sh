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
# The same program, packed at another time by somebody else, gives the same bytes: times are SOURCE_DATE_EPOCH (default: of
# the last commit), owners are root, orders are fixed. The same sources give the same program with the same toolchain.
#
# Needs cargo, git, dpkg-deb, tar, gzip, xz and binutils.
set -Eeuo pipefail
umask 022
export LC_ALL=C TZ=UTC

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly TARGET=x86_64-unknown-linux-gnu

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
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
[ -n "$version" ] || die "Cargo.toml has no version"
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)} || die "no SOURCE_DATE_EPOCH, and no commit to take it from"
export SOURCE_DATE_EPOCH=$epoch

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

if [ -z "$program" ]; then
    cargo=${CARGO_HOME:-$HOME/.cargo}
    RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-C target-feature=+crt-static --remap-path-prefix=$PWD=/caponier --remap-path-prefix=$cargo=/cargo" \
        cargo build --locked --release --target "$TARGET" --bin caponier
    cargo build --locked --example packaging-pages
    built=${CARGO_TARGET_DIR:-$PWD/target}
    program=$built/$TARGET/release/caponier pages=$built/debug/examples/packaging-pages
    cargo metadata --locked --format-version 1 --filter-platform "$TARGET" |
        "$pages" --licences >"$scratch/LICENCES-OF-CRATES"
    ! readelf --program-headers "$program" | grep -q INTERP || die "$program is not static"
    ! grep -qF -e "$PWD/" -e "$cargo/" "$program" || die "$program names folders of this machine"
    "$program" demo >"$scratch/demo" || die "the demo does not hold here: $(cat "$scratch/demo")"
fi
[ "$("$program" --version)" = "caponier $version" ] || die "$program is not caponier $version"

# What both packages hold, in one folder as in the other.
share=$scratch/share
mkdir -p "$share/man" "$share/completions"
"$pages" "$share/man"
"$program" completions bash >"$share/completions/caponier.bash"
"$program" completions zsh >"$share/completions/_caponier"
"$program" completions fish >"$share/completions/caponier.fish"
strip --strip-all -o "$scratch/caponier" "$program"

# docs TO: pages, licences and profiles, which name docs/profile.schema.json beside them.
docs() {
    mkdir -p "$1"
    cp README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE "$1"
    cp -R docs profiles "$1"
    # What is packed without having been built here has them where it was built.
    [ ! -e "$scratch/LICENCES-OF-CRATES" ] || cp "$scratch/LICENCES-OF-CRATES" "$1"
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
 The program holds crates of others under permissive licences: LICENCES-OF-CRATES.
EOF
# A program of somebody's own build may need its C library; ours does not.
depends=
if readelf --program-headers "$scratch/caponier" | grep -q INTERP; then
    depends='Depends: libc6, libgcc-s1
'
fi
size=$(find "$deb/usr" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
cat >"$deb/DEBIAN/control" <<EOF
Package: caponier
Version: $version-1
Architecture: amd64
Maintainer: The caponier authors <caponier@localhost>
Installed-Size: $size
${depends}Section: admin
Priority: optional
Description: runs a local MCP server in a pen
 Confined by Landlock and seccomp, judged at every message, recorded on one
 timeline. Needs Linux 6.7 or later, and no privilege.
EOF
(cd "$deb" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
settle "$deb"
dpkg-deb --root-owner-group -Zxz --build "$deb" "$output/caponier_$version-1_amd64.deb" >&2

(cd "$output" && sha256sum "$name.tar.gz" "caponier_$version-1_amd64.deb" >SHA256SUMS)
printf 'release: %s bytes, the program alone\n' "$(stat -c %s "$scratch/caponier")" >&2
(cd "$output" && stat -c 'release: %s bytes, %n' "$name.tar.gz" "caponier_$version-1_amd64.deb") >&2
cat "$output/SHA256SUMS"
