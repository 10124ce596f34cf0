#!/usr/bin/env bash
# Compile the dependency groups of pyproject.toml into tests/requirements/*.txt, newest releases first. Needs uv.
#
# The files hold names, versions and environment markers alone: no hashes and no addresses, so that they install from
# whatever index the machine is set up for. The other sizes take their versions from `test`, save the AWS CLI, which is
# installed alone.
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
compile --upgrade --group browser --constraints tests/requirements/test.txt --output-file tests/requirements/browser.txt
compile --upgrade --group awscli --output-file tests/requirements/awscli.txt

if grep -nE '://|^-|@' tests/requirements/*.txt; then
    echo "pins: the lines above name an address" >&2
    exit 1
fi
