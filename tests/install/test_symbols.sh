#!/bin/sh
# The shared library exports exactly the functions that include/attn declares with ATTN_API, and needs
# no library but the C library, its mathematics and the OpenMP runtime.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
library=$ATTN_BUILD_DIR/libattn.so

nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | sort >"$work/exported"
# A declaration runs from ATTN_API to the first "("; the name is the word before it.
cat "$ATTN_SOURCE_DIR"/include/attn/*.h | grep -v '^#define' | sed 's/ATTN_PRINTF([^)]*)//' | tr '\n' ' ' |
    sed 's/ATTN_API/\n&/g' | sed -n 's/^ATTN_API[^(;]*[ *]\(attn_[a-z0-9_]*\)(.*/\1/p' |
    sort >"$work/declared"

status=0
if ! cmp -s "$work/exported" "$work/declared"; then
    echo "exported but not declared (<), declared but not defined (>):"
    diff "$work/exported" "$work/declared" | grep '^[<>]' || true
    status=1
fi
readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >"$work/needed"
if grep -Ev '^(libc|libm|libgomp|libomp|libpthread|ld-linux|ld-musl)[-.]' "$work/needed"; then
    echo "^ libraries that libattn must not need"
    status=1
fi
exit $status
