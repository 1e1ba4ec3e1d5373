#!/usr/bin/env bash
# Builds what is installed on AWS and what users download, into dist/: functions.zip and layer.zip for
# Lambda, an archive with the stepwright program, the template and both zips, and checksums.
#
#   ARCH      x86_64 or arm64 [default: this machine's]
#   PROFILE   release, or dev, which builds fast and runs slowly [default: release]
#   ZIGBUILD  1 builds with cargo-zigbuild, which is installed into .tools/zig, against the C library
#             that Lambda has. It is used by itself where a plain build would not start on Lambda, and
#             for another architecture than this machine's.
set -euo pipefail
cd "$(dirname "$0")/.."

# What provided.al2023 has. Source: AWS Lambda, "Lambda runtimes"; Amazon Linux 2023, "Comparing".
declare -r glibc=2.34
declare -r requirements=scripts/zig-requirements.txt zig=.tools/zig
declare -r cargo=${CARGO:-cargo}

fail() {
  echo "dist: $*" >&2
  exit 1
}

command -v python3 >/dev/null || fail "python3 is needed to write zips"
[ "$(uname -s)" = Linux ] || ZIGBUILD=1

host=$(rustc -vV | sed -n 's/^host: //p')
case ${ARCH:=$(uname -m)} in
  x86_64 | amd64) ARCH=x86_64 triple=x86_64-unknown-linux-gnu ;;
  arm64 | aarch64) ARCH=arm64 triple=aarch64-unknown-linux-gnu ;;
  *) fail "ARCH is $ARCH; Lambda has x86_64 and arm64" ;;
esac
case ${PROFILE:=release} in
  release) profiles=(lambda release) folders=(lambda release) ;;
  dev) profiles=(dev dev) folders=(debug debug) ;;
  *) fail "PROFILE is $PROFILE; it is release or dev" ;;
esac
libraries=$(rustc --print target-libdir --target "$triple")
[ -d "$libraries" ] ||
  fail "Rust cannot build for $triple here: run 'rustup target add $triple', or build on a machine with $ARCH"
[ "$triple" = "$host" ] || ZIGBUILD=1

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target=$("$cargo" metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

install_zig() {
  local sum
  sum=$(cksum <"$requirements")
  if [ ! -f "$zig/stamp" ] || [ "$(cat "$zig/stamp")" != "$sum" ]; then
    rm -rf "$zig"
    mkdir -p "$zig"
    python3 -m venv "$zig"
    "$zig/bin/python" -m pip install --quiet --disable-pip-version-check \
      --no-deps --require-hashes --requirement "$requirements"
    echo "$sum" >"$zig/stamp"
  fi
}

# Builds with cargo or with cargo-zigbuild. The functions apart: what users' programs need beside is not to
# be in them.
build() {
  local -a how=(build --locked)
  local path=$PATH
  built=$target
  if [ "$1" = zigbuild ]; then
    install_zig
    how=(zigbuild --locked --target "$triple.$glibc")
    path=$PWD/$zig/bin:$PATH
    built=$target/$triple
  fi
  PATH=$path "$cargo" "${how[@]}" --profile "${profiles[0]}" --package functions --bins
  PATH=$path "$cargo" "${how[@]}" --profile "${profiles[1]}" --package proxy --package cli --bins
}

# Where a program was built.
program() {
  case $1 in
    bootstrap) echo "$built/${folders[0]}/$1" ;;
    *) echo "$built/${folders[1]}/$1" ;;
  esac
}

starts() {
  python3 scripts/dist.py glibc "$glibc" "$(program bootstrap)" "$(program stepwright-proxy)"
}

if [ "${ZIGBUILD:-0}" = 1 ]; then
  build zigbuild
  starts
else
  build plain
  if ! starts; then
    echo "dist: built again with cargo-zigbuild, against glibc $glibc" >&2
    build zigbuild
    starts
  fi
fi

declare -r dist=dist stage=$target/dist-$ARCH
rm -rf "$stage"
mkdir -p "$dist" "$stage"
for program in bootstrap stepwright-proxy stepwright; do
  cp "$(program "$program")" "$stage/$program"
  # A release build is stripped already; strip cannot read other architectures everywhere.
  if [ "$PROFILE" = dev ] && [ "$triple" = "$host" ] && command -v strip >/dev/null; then
    strip "$stage/$program"
  fi
  chmod 755 "$stage/$program"
done

# The comment tells `stepwright deploy` for which processor the programs are.
declare -r comment="stepwright $version $ARCH"
archive=stepwright-$version-linux-$ARCH
rm -f "$dist"/functions.zip "$dist"/layer.zip "$dist/$archive.tar.gz" "$dist"/SHA256SUMS
python3 scripts/dist.py zip "$dist/functions.zip" "$comment" "bootstrap=$stage/bootstrap"
python3 scripts/dist.py zip "$dist/layer.zip" "$comment" "extensions/stepwright-proxy=$stage/stepwright-proxy"
python3 scripts/dist.py tar "$dist/$archive.tar.gz" "$archive" \
  "stepwright=$stage/stepwright" "stepwright-proxy=$stage/stepwright-proxy" "template.yaml=template.yaml" \
  "LICENSE=LICENSE" "dist/functions.zip=$dist/functions.zip" "dist/layer.zip=$dist/layer.zip"
python3 scripts/dist.py sums "$dist/SHA256SUMS" "$dist"/*.zip "$dist"/*.tar.gz
(cd "$dist" && du -h -- functions.zip layer.zip "$archive.tar.gz")
