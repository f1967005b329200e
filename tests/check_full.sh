# shellcheck shell=bash
# What ./check --full adds; sourced by it, with its counters and helpers.
# SPDX-License-Identifier: MIT

# on_driver LABEL ICD: the device tests of the release build on another driver, one small case of each operation.
on_driver() {
    local folder=$work/vendors-$1
    if [ ! -f "$2" ]; then
        skip "$1: there is no such driver in /etc/OpenCL/vendors"
        return
    fi
    mkdir -p "$folder"
    cp "$2" "$folder/"
    local spec=${REVERIE_DEVICE-} # names a device of another driver
    unset REVERIE_DEVICE
    OCL_ICD_VENDORS=$folder RUSTICL_ENABLE=llvmpipe REVERIE_TEST_SMALL=1 run_ctest "$1" check-gcc \
        -R '^unit_' -E '^unit_(base|image|model)$'
    [ -z "$spec" ] || export REVERIE_DEVICE=$spec
}

on_driver intel "$(compgen -G '/etc/OpenCL/vendors/intel*.icd' | head -1 || true)"
on_driver rusticl /etc/OpenCL/vendors/rusticl.icd

say "Races and bad accesses in kernels"
verdict "oclgrind" env REVERIE_TEST_SMALL=1 bash -c '
    set -o pipefail
    oclgrind --data-races --uninitialized build/check-gcc/tests/test_ops 2>&1 | tee "$0" &&
        ! grep -qE "^(Invalid|Read-write|Write-write|Uninitialized|Work-group divergence)" "$0"' \
    "$work/results/oclgrind.out"

say "Static analysis"
tidy() {
    find src -name '*.c' -print0 | xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet -p build/check-clang
}
verdict "clang-tidy" tidy
verdict "cppcheck" cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    -j "$(nproc)" -DRV_VERSION='""' -Iinclude -Isrc -Icl src

say "Valgrind on the tests that use no device"
# Not `system`: valgrind does not pass on why a child could not be started.
for name in base image model; do
    [ ! -x build/check-gcc/tests/test_$name ] ||
        verdict "valgrind $name" valgrind -q --trace-children=yes --leak-check=full --error-exitcode=99 \
            --show-leak-kinds=definite --errors-for-leak-kinds=definite \
            build/check-gcc/tests/test_$name --filter '!(system)/*'
done

build check-fuzz
if [ -z "$step_failed" ]; then
    for target in build/check-fuzz/tests/fuzz_*; do
        [ -x "$target" ] && [ -f "$target" ] || continue
        name=${target##*/fuzz_}
        say "Fuzzing $name for a minute"
        mkdir -p "$work/corpus/$name" "$work/results/$name"
        seeds=()
        [ ! -d "tests/fuzz/seeds/$name" ] || seeds=("tests/fuzz/seeds/$name")
        verdict "fuzz $name" "$target" -max_total_time=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
            -artifact_prefix="$work/results/$name/" "$work/corpus/$name" "${seeds[@]}"
    done
fi
