#!/bin/sh
# Installs into an empty folder and builds the same program against it four ways: pkg-config and
# CMake package, shared and static; then the same as C++, the installed examples, and the manual pages.
# Environment: see cmake/tests.cmake.
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
    -DWANTED_VERSION="$version" -DEXAMPLES="$ATTN_SOURCE_DIR/examples" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/build" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
"$work/build/consumer_shared" "$version"
"$work/build/consumer_static" "$version"
model=$(find "$work/root" -name en-fr.safetensors)
for linked in shared static; do
    echo "Thank you." | "$work/build/translate_$linked" "$model" | grep -q '^Merci' || { echo "translate_$linked"; exit 1; }
done

cxx=${CXX:-$(command -v c++ || true)}
if [ -n "$cxx" ]; then
    echo "C++, shared"
    $cxx -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$here/consumer.c" -o "$work/plus" \
        $(pkg-config --cflags --libs attn)
    LD_LIBRARY_PATH=$lib "$work/plus" "$version"
fi

examples=$(find "$work/root" -path '*/doc/*/examples' -type d)
for source in "$examples"/*.c; do
    name=$(basename "$source" .c)
    echo "example: $name"
    package=$(sed -n 's/.*pkg-config --cflags --libs \([a-z-]*\).*/\1/p' "$source" | head -n 1)
    $cc -std=c11 "$source" -o "$work/$name" $(pkg-config --cflags --libs "$package") -lm
done
LD_LIBRARY_PATH=$lib "$work/attention"
echo "How are you?" | LD_LIBRARY_PATH=$lib "$work/translate" "$model" | tee "$work/french"
grep -q '^Comment ' "$work/french" || { echo "examples/translate.c does not translate"; exit 1; }
echo "the same, static, and without the environment of this build"
mv "$lib"/libattn*.so* "$work/away"
$cc "$examples/translate.c" -o "$work/translate_static" $(pkg-config --static --cflags --libs attn-pipeline)
mv "$work/away"/* "$lib"
echo "How are you?" | env -i "$work/translate_static" "$model" | cmp - "$work/french"
printf 'P6 40 24 255\n%2880s' "" >"$work/blank.ppm"
LD_LIBRARY_PATH=$lib "$work/segment" "$(find "$work/root" -name street.safetensors)" "$work/blank.ppm" >"$work/parts"
awk '{ sum += $1 } END { exit !(NR == 11 && sum > 99 && sum < 101) }' "$work/parts" || { cat "$work/parts"; exit 1; }
if [ -n "$cxx" ]; then
    $cxx -std=c++17 "$examples/translate.cpp" -o "$work/translate_cpp" $(pkg-config --cflags --libs attn-pipeline)
    LD_LIBRARY_PATH=$lib "$work/translate_cpp" "$model" "How are you?" | grep -q "^$(cat "$work/french") (score "
fi
LD_LIBRARY_PATH=$lib "$work/layers" | tee "$work/layers.log"
# It learns: the last loss is a fraction of the first.
awk '/mean loss/ { last = $NF; if (!first) first = $NF }
     END { exit !(first > 0.1 && last < first / 10) }' "$work/layers.log" ||
    { echo "examples/layers.c does not learn"; exit 1; }

pages=$(find "$work/root" -name man3 -type d)
[ -n "$pages" ] || { echo "no manual pages: there is no python3"; exit 0; }
echo "manual pages"
for function in $(sed -n 's/^ATTN_\(PIPELINE_\)\{0,1\}API.*[ *]\(attn_[a-z0-9_]*\)(.*/\2/p' \
    "$ATTN_SOURCE_DIR"/include/attn/*.h | grep -v '_init_sized$'); do
    [ -s "$pages/$function.3" ] || { echo "$function has no page"; exit 1; }
done
for page in "$pages"/*.3; do
    target=$(sed -n 's/^[.]so man3[/]//p' "$page")
    [ -s "$pages/${target:-$(basename "$page")}" ] || { echo "$page points nowhere"; exit 1; }
done
grep -q 'attn_status attn_attention_forward(' "$pages/attn_attention.3"
grep -q 'void attn_attention_init(attn_attention \*attention, int64_t batch,' "$pages/attn_attention.3"
# A header of another library says which one to link.
printf '/* attn/other.h: what else there is.\n *\n * Of libattn-other. */\n' >"$work/other.h"
python3 "$ATTN_SOURCE_DIR/scripts/make-man3" "$version" "$work/man" "$work/other.h"
grep -q 'libs attn.-other' "$work/man/attn_other.3"
if command -v mandoc >/dev/null; then
    for page in $(grep -L '^[.]so' "$pages"/*.3); do
        mandoc -Tlint -W style "$page" || true
    done | grep -v 'missing date' && { echo "^ mandoc's complaints"; exit 1; }
fi
exit 0
