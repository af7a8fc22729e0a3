#!/bin/sh
# Every public header compiles alone, as strict C11 and as C++, and, where clang is there, for Windows
# with MinGW's and Microsoft's conventions. Environment: see cmake/tests.cmake.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-I$ATTN_SOURCE_DIR/include -Wall -Wextra -Wpedantic -Werror -fsyntax-only"
cxx=${CXX:-$(command -v c++ || true)}

for header in "$ATTN_SOURCE_DIR"/include/attn/*.h; do
    name=attn/${header##*/}
    echo "$name"
    printf '#include <%s>\ntypedef int not_empty;\n' "$name" >"$work/alone.c"
    ${CC:-cc} -std=c11 $flags "$work/alone.c"
    if [ -n "$cxx" ]; then
        cp "$work/alone.c" "$work/alone.cpp"
        $cxx -std=c++11 $flags "$work/alone.cpp"
    fi
    if command -v clang >/dev/null; then
        for target in x86_64-w64-windows-gnu x86_64-pc-windows-msvc; do
            for kind in -DATTN_STATIC -DATTN_BUILD_SHARED -UATTN_STATIC; do
                clang --target=$target -ffreestanding -std=c11 $kind $flags "$work/alone.c"
            done
        done
    fi
done
