#!/bin/sh
# install.sh BIN ARGUMENT…: install into the virtual environment of BIN, pinned by constraints.txt.
# With uv, which takes seconds; with plain pip where uv cannot be had. Both compile the bytecode.
set -eu
bin=$1
shift
if [ ! -x "$bin/uv" ]; then
    "$bin/python" -m pip install --quiet uv || echo "uv cannot be had here; installing with pip" >&2
fi
if [ -x "$bin/uv" ] &&
    "$bin/uv" pip install --quiet --python "$bin/python" --compile-bytecode -c constraints.txt "$@"; then
    exit 0
fi
exec "$bin/python" -m pip install --quiet -c constraints.txt "$@"
