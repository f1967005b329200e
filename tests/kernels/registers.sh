#!/usr/bin/env bash
# registers.sh ROOT PROGRAMS TARGET...: compiles the heavy kernels for GPUs that need not be there, with all defines
# that PROGRAMS prints; none may spill, nor leave a GPU less than a quarter of its threads. 77 without compilers.
# SPDX-License-Identifier: MIT
#
# Targets: gfx906 (GCN), gfx90a (CDNA), gfx1030 (RDNA), by clang and AMD's device library; sm_75 ... (NVIDIA), by clang,
# libclc and ptxas. The table of all kernels goes to standard output.
set -euo pipefail
cd "$1"
programs=$2
shift 2
amd_library=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode nvidia_library=/usr/lib/clc/nvptx64--nvidiacl.bc
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

targets=()
for target in "$@"; do
    case $target in
    gfx*) [ -d "$amd_library" ] && command -v clang-15 >/dev/null && targets+=("$target") ;;
    sm_*) [ -f "$nvidia_library" ] && command -v clang-15 ptxas >/dev/null && targets+=("$target") ;;
    esac || echo "$target: not checked, for want of clang-15, rocm-device-libs, libclc-15 or ptxas"
done
[ ${#targets[@]} -gt 0 ] || exit 77

# amd TARGET FILE DEFINES: a line "KERNEL REGISTERS SPILLS SCRATCH LOCAL PERCENT" for each kernel.
amd() {
    local most=10
    case $1 in gfx90a) most=8 ;; gfx10*) most=16 ;; esac
    # shellcheck disable=SC2086 # a list of words
    clang-15 -x cl -cl-std=CL1.2 -target amdgcn-amd-amdhsa -mcpu="$1" --rocm-device-lib-path="$amd_library" -O3 \
        -Rpass-analysis=kernel-resource-usage -DB=4 -DRV_GPU_FORM=1 $3 -Icl -S "cl/$2.cl" -o /dev/null 2>&1 |
        sed -n 's/^.*remark: *\(.*\) \[-Rpass.*$/\1/p' |
        awk -v most="$most" -F': *' '
            { sub(/^ +/, "", $1) }
            $1 == "Function Name" { name = $2 }
            $1 == "VGPRs" { registers = $2 }
            $1 ~ /^ScratchSize/ { scratch = $2 }
            $1 ~ /^Occupancy/ { percent = int(100 * $2 / most) }
            $1 ~ /Spill$/ { spills[$1] = $2 }
            $1 ~ /^LDS/ { print name, registers, spills["VGPRs Spill"] + spills["SGPRs Spill"], scratch, $2, percent }'
}

# ptx FILE DEFINES: compiles for NVIDIA GPUs, and prints the path.
ptx() {
    local out
    out=$folder/$(printf '%s' "$1$2" | tr -c 'a-z0-9_=\n' '_').ptx
    # shellcheck disable=SC2086 # a list of words
    [ -f "$out" ] || clang-15 -x cl -cl-std=CL1.2 -target nvptx64--nvidiacl -Xclang -target-cpu -Xclang sm_75 -O3 \
        -Xclang -mlink-builtin-bitcode -Xclang "$nvidia_library" -DB=4 -DRV_GPU_FORM=1 $2 -Icl -S "cl/$1.cl" -o "$out"
    echo "$out"
}

# The same for NVIDIA. A multiprocessor has 65,536 registers, given out to warps by 256; threads, groups and local
# memory by architecture.
nvidia() {
    local threads=1536 groups=24 local_kilobytes=100 path
    case $1 in
    sm_75) threads=1024 groups=16 local_kilobytes=64 ;;
    sm_80) threads=2048 groups=32 local_kilobytes=164 ;;
    sm_86) groups=16 ;;
    sm_90 | sm_100) threads=2048 groups=32 local_kilobytes=228 ;;
    esac
    path=$(ptx "$2" "$3")
    { sed 's/^/ptx /' "$path"; ptxas -v -arch "$1" "$path" -o /dev/null 2>&1; } |
        awk -v threads="$threads" -v groups="$groups" -v local_bytes=$((local_kilobytes * 1024)) '
            function least(a, b) { return a < b ? a : b }
            $1 == "ptx" && / \.entry / { name = $0; sub(/^.*\.entry */, "", name); sub(/\(.*$/, "", name) }
            $1 == "ptx" && /^ptx \.reqntid/ { size[name] = $3 * $4 * $5 }
            /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
            /bytes spill stores/ { scratch = $1; spills = $5 + $9 }
            / Used [0-9]+ registers/ {
                registers = $0; sub(/^.* Used /, "", registers); registers += 0
                bytes = 0
                if (match($0, /[0-9]+ bytes smem/)) bytes = substr($0, RSTART, RLENGTH) + 0
                items = name in size ? size[name] : 128
                warps = int((items + 31) / 32)
                fit = int(65536 / (warps * int((registers * 32 + 255) / 256) * 256))
                if (bytes > 0) fit = least(fit, int(local_bytes / (bytes + 1024)))
                fit = least(least(fit, groups), int(threads / items))
                print name, registers, spills, scratch, bytes, int(100 * fit * items / threads)
            }'
}

check() {
    local file=$1 sums=$2 defines=$3 target=$4 has=64 line
    # As src/device/registers.c has it.
    case $target in gfx906 | gfx90a) has=32 ;; esac
    [ "$sums" -le "$has" ] || return 0
    case $target in gfx*) amd "$target" "$file" "$defines" ;; *) nvidia "$target" "$file" "$defines" ;; esac >"$folder/found.$BASHPID"
    [ -s "$folder/found.$BASHPID" ] || { echo "FAILED: cl/$file.cl $defines does not compile for $target"; return; }
    while read -r line; do
        # shellcheck disable=SC2086 # a list of words
        set -- $line
        printf '%-8s %-28s registers %3d, spills %d, scratch %d, local %5d, occupancy %3d %%  %s\n' "$target" "$1" "$2" \
            "$3" "$4" "$5" "$6" "$defines"
        if [ "$3" -ne 0 ] || [ "$4" -ne 0 ] || [ "$6" -lt 25 ]; then
            echo "FAILED: $1 on $target with $defines"
        fi
    done <"$folder/found.$BASHPID"
}

"$programs" >"$folder/programs"
for file in cl/*_gpu*.cl; do
    grep -q "^$(basename "$file" .cl) " "$folder/programs" ||
        echo "FAILED: $file is not among what tests/kernels/gpu_programs.c prints"
done >"$folder/table"
# All targets of a file and its defines in a row, so that PTX is made once; two rows at a time.
row() {
    local target
    for target in "${targets[@]}"; do check "$1" "$2" "$3" "$target"; done
}
rows=0
while read -r file sums defines; do
    rows=$((rows + 1))
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    row "$file" "$sums" "$defines" >"$folder/row.$rows" &
done <"$folder/programs"
wait
cat "$folder"/row.* >>"$folder/table"
sort "$folder/table"
! grep -q '^FAILED' "$folder/table"
