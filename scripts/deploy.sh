#!/usr/bin/env bash
# Installs what `make dist` has built on AWS: with sam where it is installed, else with the program that
# was built. Arguments are parameters of the template, Name=Value; STACK names the stack.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -r stack=${STACK:-stepwright} arch=${ARCH:?says for which processor dist was built}

if command -v sam >/dev/null; then
  sam build
  # The zips are built: sam only uploads them. What is not given keeps its value.
  exec sam deploy --stack-name "$stack" --resolve-s3 --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
    --no-fail-on-empty-changeset --parameter-overrides "Architecture=$arch" "$@"
fi
declare -a parameters=()
for parameter in "$@"; do
  parameters+=(--parameter "$parameter")
done
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec "$target/dist-$arch/stepwright" deploy --stack "$stack" --dist dist "${parameters[@]}"
