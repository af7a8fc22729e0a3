#!/bin/sh
# Installs into an empty folder and builds the same program against it four ways: pkg-config and
# CMake package, shared and static. Environment: see cmake/tests.cmake.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc}
here=$ATTN_SOURCE_DIR/tests/install

DESTDIR=$work/root cmake --install "$ATTN_BUILD_DIR" >"$work/install.log"
pc=$(find "$work/root" -name attn.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH="${pc%/attn.pc}" PKG_CONFIG_SYSROOT_DIR="$work/root"
lib=${pc%/pkgconfig/attn.pc}
version=$(pkg-config --modversion attn)

echo "pkg-config, shared"
$cc "$here/consumer.c" -o "$work/shared" $(pkg-config --cflags --libs attn) -lm
LD_LIBRARY_PATH=$lib "$work/shared" "$version"

echo "pkg-config, static"
mkdir "$work/away"
mv "$lib"/libattn.so* "$work/away"
$cc "$here/consumer.c" -o "$work/static" $(pkg-config --static --cflags --libs attn)
"$work/static" "$version"
mv "$work/away"/* "$lib"

echo "CMake package"
CC=$cc cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/root$prefix" \
    -DWANTED_VERSION="$version" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/build" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
"$work/build/consumer_shared" "$version"
"$work/build/consumer_static" "$version"
