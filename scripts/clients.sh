#!/usr/bin/env bash
# Installs the clients that tests run against the server, at fixed versions, into .tools/clients:
# boto3 and the AWS CLI for Python, the AWS SDK for JavaScript for Node. A language that is not
# here is left out, and so are its tests.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -r wanted=tests/clients installed=.tools/clients
mkdir -p "$installed"

# Runs a command unless it has succeeded with these files before.
once() {
  local stamp=$installed/$1.stamp sum
  shift
  sum=$(cat "$@" | cksum)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
    return 1
  fi
  rm -f "$stamp"
  pending=$stamp
  pending_sum=$sum
}

if ! command -v python3 >/dev/null; then
  echo "python3 is not installed: boto3 and the AWS CLI are left out"
elif once python "$wanted/requirements.txt"; then
  rm -rf "$installed/python"
  python3 -m venv "$installed/python"
  "$installed/python/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --requirement "$wanted/requirements.txt"
  echo "$pending_sum" >"$pending"
fi

if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
  echo "node is not installed: the SDK for JavaScript is left out"
elif once node "$wanted/package.json" "$wanted/package-lock.json"; then
  rm -rf "$installed/node"
  mkdir -p "$installed/node"
  cp "$wanted/package.json" "$wanted/package-lock.json" "$installed/node/"
  npm ci --prefix "$installed/node" --ignore-scripts --no-audit --no-fund --loglevel=error
  echo "$pending_sum" >"$pending"
fi
echo "clients are installed in $installed"
