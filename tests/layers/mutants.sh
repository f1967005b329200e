#!/bin/sh
# Breaks each rule of layers.awk in a tree of one file, and fails where that is not noticed.
# SPDX-License-Identifier: MIT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

# try PATH TEXT EXPECTED: a file with this text after its two first lines; EXPECTED "" means no complaint.
try() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/$(dirname "$1")"
    printf '/* A file. */\n/* SPDX-License-Identifier: MIT */\n%b\n' "$2" >"$tree/$1"
    if out=$(sh "$here/layers.sh" "$tree" 2>&1); then out="no complaint"; fi
    case $out in
    *"${3:-no complaint}"*) ;;
    *) echo "$1: '$2' gave '$out', expected '${3:-no complaint}'"; failed=1 ;;
    esac
}

try src/base/a.c '#include "graph/graph.h"' 'calls go down only'
try src/graph/a.c '#include "base/error.h"\n#include "internal.h"\n#include <reverie/status.h>' ''
try src/model/a.c '#include "optim/optim.h"' 'calls go down only'
try src/tensor/a.c '#include "image/image.h"' 'calls go down only'
try src/image/a.c '#include "device/device.h"' 'it knows only base'
try src/stages/a.c '#include "graph/internal.h"' 'private header of graph'
try src/graph/a.c '#include "graph/internal.h"' ''
try src/other/a.c '' 'no folder of the layers'
try src/ops/a.c '#include <CL/cl.h>' 'only src/device'
try src/device/a.c '#include <CL/cl.h>' ''
try src/cli/a.c '#include "base/error.h"' 'the program includes'
try src/cli/a.c '#include "base/terminal.h"\n#include "options.h"\nint f(void) { exit(1); }' ''
try include/reverie/a.h '#include "base/error.h"' 'a public header includes'
try src/base/a.c '#include "reverie/status.h"' 'included as <'
try src/ops/a.c 'void f(void) { exit(1); }' 'never prints'
try src/ops/a.c 'void f(void) { printf("x"); }' 'never prints'
try src/ops/a.c 'void f(void) { fprintf(stderr, "x"); }' 'no stdout'
try src/ops/a.c '/* abort() and stderr\n * printf() */ void f(void) { g("exit(1)"); snprintf(0); }' ''
try src/ops/a.c 'void f(void) { goto out; }' 'cleanup'
try src/ops/a.c 'void f(void) { goto cleanup; }' ''
try cl/a.cl "$(awk 'BEGIN { for (i = 0; i < 599; i++) printf "int a;\\n" }')" 'more than 600'
try cl/a.cl "$(awk 'BEGIN { for (i = 0; i < 597; i++) printf "int a;\\n" }')" ''

# bare TEXT EXPECTED: a file of this text alone.
bare() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/cl"
    printf '%b\n' "$1" >"$tree/cl/a.cl"
    if out=$(sh "$here/layers.sh" "$tree" 2>&1); then out="no complaint"; fi
    case $out in
    *"$2"*) ;;
    *) echo "'$1' gave '$out', expected '$2'"; failed=1 ;;
    esac
}
bare 'int a;' 'first line'
bare '/* A file. */\nint a;' 'SPDX'
bare '/* A file\n * of two lines. */\n/* SPDX-License-Identifier: MIT */' 'no complaint'
exit $failed
