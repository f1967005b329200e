#!/bin/sh
# exports.sh ROOT LIBRARY: the shared library exports what the public headers declare, and nothing else.
# SPDX-License-Identifier: MIT
set -eu
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
nm -D --defined-only "$2" | awk '{ print $NF }' | sort -u >"$lists/exported"
# Declarations may run over lines: a name is what stands before the first parenthesis after RV_API.
cat "$1"/include/reverie/*.h | grep -v '^#define' | tr '\n' ' ' | grep -o 'RV_API [^(]*(' |
    sed 's/ *($//; s/.*[ *]//' | sort -u >"$lists/declared"
failed=0
for name in $(comm -23 "$lists/exported" "$lists/declared"); do
    echo "exported but in no public header: $name"
    failed=1
done
for name in $(comm -13 "$lists/exported" "$lists/declared"); do
    echo "declared in a public header but not exported: $name"
    failed=1
done
exit $failed
