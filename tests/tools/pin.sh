#!/usr/bin/env bash
# Compile the dependency groups of pyproject.toml into tests/requirements/*.txt, newest releases first. Needs uv.
#
# The files hold names, versions and environment markers alone: no hashes and no addresses, so that they install from
# whatever index the machine is set up for. The other sizes take their versions from `test`, save those that are installed
# alone: the AWS CLI, and the tools that look at the package.
set -euo pipefail
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

compile() {
    uv pip compile --quiet --universal --python-version 3.11 \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}

compile --upgrade --group test --output-file tests/requirements/test.txt
for size in demo pytest bench; do
    compile --group "$size" --constraints tests/requirements/test.txt --output-file "tests/requirements/$size.txt"
done
for size in browser docsite; do
    compile --upgrade --group "$size" --constraints tests/requirements/test.txt --output-file "tests/requirements/$size.txt"
done
for size in awscli package; do
    compile --upgrade --group "$size" --output-file "tests/requirements/$size.txt"
done

if grep -nE '://|^-|@' tests/requirements/*.txt; then
    echo "pins: the lines above name an address" >&2
    exit 1
fi
