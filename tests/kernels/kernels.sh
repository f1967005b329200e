#!/bin/sh
# kernels.sh ROOT: compiles every kernel file with clang for each block width and form that it can be asked for (the GPU
# form has blocks of 4 only); 77 without clang.
# SPDX-License-Identifier: MIT
set -eu
cd "$1"
command -v clang >/dev/null || { echo "clang is missing: the kernels are not compiled"; exit 77; }
for file in cl/*.cl; do
    for block in 4 8 16; do
        for form in 0 1; do
            case $file:$form in
            *_gpu*:0 | *_cpu*:1) continue ;;
            esac
            [ "$form" -eq 0 ] || [ "$block" -eq 4 ] || continue
            echo "-DB=$block -DRV_GPU_FORM=$form $file"
            # The tile of Winograd's algorithm that is not the default.
            if grep -q '^#ifndef OUT$' "$file"; then
                echo "-DB=$block -DRV_GPU_FORM=$form -DOUT=2 $file"
            fi
            # A family of formulas: each of them, not just the default; not every one has attributes.
            sed -n 's/^#define \([a-z0-9_]*\)_value(.*/\1/p' "$file" | while read -r name; do
                echo "-DB=$block -DRV_GPU_FORM=$form -DVALUE=${name}_value -DSLOPE=${name}_slope" \
                     "-Wno-unused-parameter $file"
            done
        done
    done
done | xargs -P "$(nproc)" -L 1 clang -x cl -cl-std=CL1.2 -Wall -Wextra -Werror -fsyntax-only \
    -Xclang -finclude-default-header -Icl
