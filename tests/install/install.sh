#!/bin/sh
# install.sh ROOT BUILD CC [FLAG ...]: installs into a folder, moves it, and uses it as others would; 77 without a device.
# SPDX-License-Identifier: MIT
set -eu
root=$1 build=$2
shift 2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cmake --install "$build" --prefix "$tree/first" >"$tree/log" || { cat "$tree/log"; exit 1; }
mv "$tree/first" "$tree/moved"
cd "$tree/moved"

fail() { echo "$1"; exit 1; }
one() { find . -path "$1" | grep -q . || fail "not installed: $1"; }
one './bin/reverie'
one './lib*/libreverie.so.*'
one './lib*/libreverie.a'
one './share/man/man1/reverie.1'
one './share/reverie/README.md'
one './share/bash-completion/completions/reverie'
for header in "$root"/include/reverie/*.h; do one "./include/reverie/${header##*/}"; done
pc=$(find . -name reverie.pc)
PKG_CONFIG_PATH=$PWD/$(dirname "${pc#./}")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir reverie)
export LD_LIBRARY_PATH

grep -q '^\.TH ' share/man/man1/reverie.1 || fail "the man page is none"
bash -n share/bash-completion/completions/reverie || fail "the completion is no bash"
./bin/reverie --version | grep -q "$(pkg-config --modversion reverie)" || fail "program and reverie.pc differ in version"

# Program and libraries find what lies in share/reverie, wherever the tree is.
unset REVERIE_DATA_DIR
network=$(realpath .)/share/reverie/vgg-s.safetensors
[ -f "$network" ] || : >"$network"
./bin/reverie models list --json | grep -qF "\"builtin_file\": \"$network\"" || fail "the program does not find $network"

cat >"$tree/use.c" <<'END'
#include <reverie/reverie.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    rv_image *image;
    char *network;
    if (rv_image_create(&image, 0, 0, 3, 8) == RV_OK || puts(rv_error_message()) < 0 ||
        rv_model_find_builtin(&network) != RV_OK) {
        return 1;
    }
    const int differ = argc != 2 || strcmp(network, argv[1]) != 0;
    free(network);
    return differ;
}
END
mkdir bin/own
# shellcheck disable=SC2046 # lists of words
"$@" -Wall -Werror "$tree/use.c" -o "$tree/use" $(pkg-config --cflags --libs reverie)
"$tree/use" "$network" || fail "a program with the shared library failed"
# shellcheck disable=SC2046
"$@" -Wall -Werror "$tree/use.c" -o bin/own/use \
    $(pkg-config --static --cflags --libs reverie | sed 's/-lreverie/-l:libreverie.a/')
LD_LIBRARY_PATH='' bin/own/use "$network" || fail "a program with the static library failed"

# Every example is compiled, and run on two tiny pictures where there is a device.
device=yes
./bin/reverie devices >"$tree/log" 2>&1 || ! grep -q 'there is no OpenCL device' "$tree/log" || device=
bash "$root/tests/cli/make.bash" png "$tree/photo.png" 40 30
bash "$root/tests/cli/make.bash" png "$tree/style.png" 32 32 3 8 checks
for example in "$root"/examples/*.c; do
    [ -f "$example" ] || continue
    program=$tree/$(basename "$example" .c)
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror "$example" -o "$program" $(pkg-config --cflags --libs reverie) ||
        fail "$example does not compile"
    [ -n "$device" ] || continue
    "$program" "$tree/photo.png" "$tree/style.png" "$tree/out.png" 40 2>"$tree/log" ||
        { cat "$tree/log"; fail "$example fails"; }
    [ -s "$tree/out.png" ] || fail "$example made no picture"
done
[ -n "$device" ] || { echo "there is no OpenCL device: the examples are compiled only"; exit 77; }
