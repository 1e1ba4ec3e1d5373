#!/usr/bin/env bash
# Installs the tools that checks use beside the Rust toolchain, at fixed versions, into .tools.
set -euo pipefail
cd "$(dirname "$0")/.."

install() {
  local package=$1 version=$2
  if [ -x ".tools/bin/$package" ] && ".tools/bin/$package" --version | grep -qF "$version"; then
    echo "$package $version is installed"
  else
    cargo install --locked --root .tools --version "$version" "$package"
  fi
}

install cargo-deny 0.20.2
