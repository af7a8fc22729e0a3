#!/bin/sh
# How long the tool's threads spin (cli/openmp.c): what it asks of OpenMP, and that the user's word counts
# more. Skipped where OpenMP is not GCC's, or is a shared library, which the tool cannot tell in time.
set -eu
unset OMP_WAIT_POLICY GOMP_SPINCOUNT

count() {
    env OMP_DISPLAY_ENV=verbose "$@" "$ATTN_TOOL" --version 2>&1 |
        sed -n "s/.*GOMP_SPINCOUNT = '\([0-9]*\)'.*/\1/p"
}

expect() {
    [ "$1" = "$2" ] || { echo "$3: GOMP_SPINCOUNT is $1, not $2" >&2; exit 1; }
}

[ -n "$(count)" ] || { echo "OpenMP is not GCC's"; exit 77; }
if ldd "$ATTN_TOOL" | grep -q libgomp; then
    echo "OpenMP is a shared library"
    exit 77
fi
expect "$(count)" 1000 "by default"
expect "$(count GOMP_SPINCOUNT=7)" 7 "with GOMP_SPINCOUNT=7"
expect "$(count OMP_WAIT_POLICY=passive)" 0 "with OMP_WAIT_POLICY=passive"
[ "$(count OMP_WAIT_POLICY=active)" -gt 1000000 ] || { echo "OMP_WAIT_POLICY=active is not kept" >&2; exit 1; }
