#!/bin/sh
# Every public header compiles alone, as strict C11 and as C++. Environment: see cmake/tests.cmake.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-I$ATTN_SOURCE_DIR/include -Wall -Wextra -Wpedantic -Werror -fsyntax-only"
cxx=${CXX:-$(command -v c++ || true)}

for header in "$ATTN_SOURCE_DIR"/include/attn/*.h; do
    name=attn/${header##*/}
    echo "$name"
    printf '#include <%s>\n' "$name" >"$work/alone.c"
    ${CC:-cc} -std=c11 $flags "$work/alone.c"
    if [ -n "$cxx" ]; then
        cp "$work/alone.c" "$work/alone.cpp"
        $cxx -std=c++11 $flags "$work/alone.cpp"
    fi
done
