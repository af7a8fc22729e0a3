#!/bin/sh
# The shared libraries export exactly the functions that include/attn declares for them, libattn besides
# what libattn-pipeline needs of it (ATTN_SHARED); and libattn needs no library but the C library, its
# mathematics and the OpenMP runtime.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# A declaration runs from its mark to the first "("; the name is the word before it.
declared() { # MARK FILE...
    mark=$1
    shift
    cat "$@" | grep -v '^#define' | sed 's/ATTN_PRINTF([^)]*)//' |
        tr '\n' ' ' | sed "s/$mark/\n&/g" |
        sed -n "s/^$mark[^(;]*[ *]\(attn_[a-z0-9_]*\)(.*/\1/p"
    echo
}

compare() { # LIBRARY, with the names in $work/declared
    sed -i '/^$/d' "$work/declared"
    nm -D --defined-only "$1" | awk '{ print $3 }' | sed 's/@.*//' | grep '^attn_' | sort >"$work/exported"
    sort -o "$work/declared" "$work/declared"
    if ! cmp -s "$work/exported" "$work/declared"; then
        echo "$1: exported but not declared (<), declared but not defined (>):"
        diff "$work/exported" "$work/declared" | grep '^[<>]' || true
        status=1
    fi
}

library=$ATTN_BUILD_DIR/libattn.so
headers=$ATTN_SOURCE_DIR/include/attn
{
    declared ATTN_API "$headers"/*.h
    declared ATTN_SHARED "$ATTN_SOURCE_DIR"/src/*/*.h
} >"$work/declared"
compare "$library"
if [ -e "$ATTN_BUILD_DIR/libattn-pipeline.so" ]; then
    declared ATTN_PIPELINE_API "$headers"/*.h >"$work/declared"
    compare "$ATTN_BUILD_DIR/libattn-pipeline.so"
fi

readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >"$work/needed"
if grep -Ev '^(libc|libm|libgomp|libomp|libpthread|ld-linux|ld-musl)[-.]' "$work/needed"; then
    echo "^ libraries that libattn must not need"
    status=1
fi
if [ -e "$ATTN_BUILD_DIR/attn" ]; then
    readelf -d "$ATTN_BUILD_DIR/attn" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >"$work/needed"
    if grep -E '^lib(cairo|pango|X11|xcb|glib|gobject)' "$work/needed"; then
        echo "^ libraries for drawing, which the tool opens only when it draws"
        status=1
    fi
fi
exit $status
