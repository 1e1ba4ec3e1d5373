#!/usr/bin/env bash
# Installs what checks and deploys the template, at fixed versions: the SAM CLI and cfn-lint, into
# .tools/sam. Where Python is missing they are left out, and so are the tests that need them.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -r wanted=tests/sam/requirements.txt installed=.tools/sam

if ! command -v python3 >/dev/null; then
  echo "python3 is not installed: the SAM CLI and cfn-lint are left out"
  exit
fi
sum=$(cat scripts/sam.sh "$wanted" | cksum)
if [ ! -f "$installed/stamp" ] || [ "$(cat "$installed/stamp")" != "$sum" ]; then
  rm -rf "$installed"
  mkdir -p "$installed"
  python3 -m venv "$installed"
  # The list is complete: nothing is left to resolve.
  "$installed/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --requirement "$wanted"
  echo "$sum" >"$installed/stamp"
fi
echo "the SAM CLI and cfn-lint are installed in $installed"
