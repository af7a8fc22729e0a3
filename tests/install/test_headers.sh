#!/bin/sh
# Every public header compiles alone, as strict C11 and as C++; where clang is there, all together for
# Windows, with MinGW's and Microsoft's conventions. Environment: see cmake/tests.cmake.
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
done

if command -v clang >/dev/null; then
    printf '#include <attn/attn.h>\nint number(void);\nint number(void) { return %s; }\n' \
        'attn_version_number() + attn_get_threads()' >"$work/all.c"
    for target in x86_64-w64-windows-gnu x86_64-pc-windows-msvc; do
        for kind in -DATTN_STATIC -DATTN_BUILD_SHARED -UATTN_STATIC; do
            echo "all, $target $kind"
            clang --target=$target -ffreestanding -std=c11 $kind $flags "$work/all.c"
        done
    done
fi
