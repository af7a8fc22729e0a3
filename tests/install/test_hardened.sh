#!/bin/sh
# The tool and the shared libraries are built to stop where memory is overrun: at any address, with relocations that
# are read-only before main, no executable stack, guards on the stack, checked calls of the C library. The kernels
# have no guards: their loops are sized by shapes that were checked before.
set -eu
grep -q '^ATTN_HARDEN:BOOL=ON' "$ATTN_BUILD_DIR/CMakeCache.txt" || exit 77
grep -q '^CMAKE_BUILD_TYPE:STRING=Debug' "$ATTN_BUILD_DIR/CMakeCache.txt" && exit 77
status=0

complain() {
    echo "$1: $2"
    status=1
}

symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
for file in attn libattn.so libattn-pipeline.so; do
    path=$ATTN_BUILD_DIR/$file
    [ -e "$path" ] || continue
    readelf -hW "$path" | grep -q 'Type: *DYN' || complain "$file" "not at any address"
    readelf -lW "$path" | grep -q 'GNU_RELRO' || complain "$file" "relocations can be written"
    readelf -lW "$path" | grep 'GNU_STACK' | grep -q 'RW ' || complain "$file" "the stack is executable"
    readelf -dW "$path" | grep -q 'NOW' || complain "$file" "symbols are bound late"
    readelf -sW "$path" >"$symbols"
    grep -q ' __stack_chk_fail' "$symbols" || complain "$file" "no guards on the stack"
    grep -q ' __[a-z]*_chk@' "$symbols" || complain "$file" "no checked calls of the C library"
done

# libattn.a holds the same objects as the shared library.
objects=$(find "$ATTN_BUILD_DIR/CMakeFiles/attn_objects.dir" -path '*/src/kernels/*.o')
[ -n "$objects" ] || complain "the kernels" "no objects found"
for object in $objects; do
    if nm -u "$object" | grep -q __stack_chk_fail; then
        complain "$object" "a guard on the stack of a kernel"
    fi
done
exit $status
