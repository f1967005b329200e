#!/bin/sh
# layers.sh ROOT: reads every source below ROOT and fails when one breaks a rule of the house.
# SPDX-License-Identifier: MIT
set -eu
rules=$(cd "$(dirname "$0")" && pwd)/layers.awk
cd "$1"
folders=
for folder in src include cl tests examples tools; do
    [ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086 # a list of words
find $folders -type f \( -name '*.[ch]' -o -name '*.cl' -o -name '*.clh' \) -exec awk -f "$rules" {} +
