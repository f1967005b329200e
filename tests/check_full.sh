# shellcheck shell=bash
# What ./check --full adds; sourced by it, with its counters and helpers.
# SPDX-License-Identifier: MIT

# on_driver LABEL ICD SUITES [OPTION...]: device tests of the release build on another driver, one small case of each
# operation; options are those of ctest.
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
    OCL_ICD_VENDORS=$folder REVERIE_TEST_SMALL=1 run_ctest "$1" check-gcc -R "^unit_($3)\$" "${@:4}"
    [ -z "$spec" ] || export REVERIE_DEVICE=$spec
}

on_driver intel "$(compgen -G '/etc/OpenCL/vendors/intel*.icd' | head -1 || true)" \
    'device|optim|harness|graph|ops|stages'
# What rusticl is for is GPUs, so kernels have the form of GPUs: the renderer that lends the processor takes a minute to
# compile each Winograd kernel for CPUs, and half the time without its optimiser.
# Not `device`: on rusticl 22.3 many short launches in a row deadlock in the driver (its queue waits for the threads of
# llvmpipe, they wait for work), so the measurement of launches does not end. Not `stages`: it measures too. Repeated, as
# its thread of the queue now and then frees a program's state twice (delete_compute_state) while a process ends.
RUSTICL_ENABLE=llvmpipe GALLIVM_PERF=nopt REVERIE_TEST_GPU_FORM=1 \
    on_driver rusticl /etc/OpenCL/vendors/rusticl.icd 'optim|graph|ops' --repeat until-pass:3

# simulate LABEL [OPTION...] COMMAND...: the command on oclgrind, whose findings fail it; with a cache for each label,
# as options change what is compiled.
simulate() {
    local label=$1 log=$work/results/oclgrind-$1.out
    shift
    mkdir -p "$work/cache/oclgrind/$label"
    env -u REVERIE_DEVICE XDG_CACHE_HOME="$work/cache/oclgrind/$label" REVERIE_TEST_SMALL=1 \
        oclgrind --inst-counts "$@" >"$log" 2>&1 || {
        grep -v '^ *[0-9,]* - ' "$log"
        return 1
    }
    ! grep -A8 -E '^(Invalid|Read-write|Write-write|Uninitialized|Work-group divergence|OCLGRIND)' "$log"
}

kernel_names() {
    cat cl/*.cl | tr '\n' ' ' |
        grep -oE '(__kernel|RV_REDUCE_KERNEL)( +__attribute__\(\([^;{]*\)\))? +void +[a-z0-9_]+ ?\(' |
        grep -oE '[a-z0-9_]+ ?\($' | tr -d ' (' | sort -u
}

# Whether each kernel ran in a simulation.
all_simulated() {
    local missing
    missing=$(kernel_names | comm -23 - <(
        sed -n "s/^Instructions executed for kernel '\(.*\)':$/\1/p" "$work"/results/oclgrind-*.out | sort -u))
    [ -z "$missing" ] || { echo "never simulated: $missing"; return 1; }
}

run_ctest course check-gcc -L course

say "Races and bad accesses in kernels"
rm -rf "$work/cache/oclgrind"
# The longest part beside all others: each simulates on one thread.
simulate ops --data-races build/check-gcc/tests/test_ops -j1 --filter 'ops/*' &
races_of_ops=$!
verdict "oclgrind optim" simulate optim --data-races build/check-gcc/tests/test_optim -j1 \
    --filter '@(vector|adam|update|update_gpu)/*'
verdict "oclgrind dataset" simulate dataset --data-races build/check-gcc/tests/test_dataset -j1 --filter 'augmenter/*'
verdict "oclgrind graph" simulate graph --data-races build/check-gcc/tests/test_graph -j1 \
    --filter 'fuse/a_dense_layer_takes_batch_norm*'
verdict "oclgrind stages" simulate stages --data-races build/check-gcc/tests/test_stages -j1 --filter 'spectrum/*'
# For uninitialised values, oclgrind 21.10 does not know all that clang's optimiser makes, takes sums of the halves of a
# float16 for uninitialised, and memory that clEnqueueFillBuffer has filled (so not `optim`); with races it crashes, and
# where vectors are taken for others of wider lanes (so not `dense` and `dropout`).
export REVERIE_TEST_OWN_BLOCK=1
verdict "oclgrind values" simulate values --uninitialized --build-options -O0 \
    build/check-gcc/tests/test_ops -j1 --filter 'ops/!(dense|dropout)'
unset REVERIE_TEST_OWN_BLOCK
# First and last groups and little memory, or it measures for minutes; a device that loses groups fails the self-test,
# which one that is named may.
verdict "oclgrind peak" simulate peak --data-races --quick --global-mem-size 33554432 \
    build/check-gcc/reverie bench peak --device 0
verdict "oclgrind ops" wait "$races_of_ops"
verdict "oclgrind: all kernels" all_simulated

say "Registers of the heavy kernels on GPUs that are not here"
verdict "registers" bash tests/kernels/registers.sh . build/check-gcc/tests/gpu_programs gfx906 gfx90a gfx1030 \
    sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120

say "Static analysis"
tidy() {
    find src -name '*.c' -print0 | xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet -p build/check-clang
}
verdict "clang-tidy" tidy
verdict "cppcheck" cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    -j "$(nproc)" -DRV_VERSION='""' -Iinclude -Isrc -Icl src

say "Valgrind on the tests that use no device"
# Its lines are looked for, as Criterion passes a test whose process ends with code 99. Not `system`: valgrind does not
# pass on why a child could not be started. Signals as a terminal sets them, whoever runs this. Without SIMD in libjpeg,
# whose shuffles valgrind takes for uninitialised; and without drivers, so that tests which need a device skip themselves.
memcheck() {
    local log=$work/results/memcheck-$1.out
    mkdir -p "$work/no-drivers"
    env --default-signal -u REVERIE_DEVICE OCL_ICD_VENDORS="$work/no-drivers" JSIMD_FORCENONE=1 \
        valgrind -q --trace-children=yes --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite "build/check-gcc/tests/test_$1" --filter '!(system)/*' >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
    ! grep -E '^==[0-9]+==' "$log"
}
memcheck image & # the longest
image=$!
verdict "valgrind base" memcheck base
verdict "valgrind model" memcheck model
verdict "valgrind image" wait "$image"

# What is optional at build time, left out.
say "Building without optional libraries"
without=build/check-without
verdict "configure without options" cmake --preset check-gcc -B "$without" -DREVERIE_TIFF=OFF -DREVERIE_WEBP=OFF \
    -DREVERIE_CLBLAST=OFF -DREVERIE_CURL=OFF -DREVERIE_TEST_CACHE="$work/cache"
verdict "build without options" cmake --build "$without" --target reverie test_image
verdict "test without options" ctest --test-dir "$without" -R '^unit_image$' --output-on-failure
verdict "version without options" grep -qx "Optional features: none" <("$without/reverie" --version)

# fuzz NAME: a minute of it.
fuzz() {
    local log=$work/results/fuzz-$1.out seeds=()
    mkdir -p "$work/corpus/$1" "$work/results/$1"
    [ ! -d "tests/fuzz/seeds/$1" ] || seeds=("tests/fuzz/seeds/$1")
    "build/check-fuzz/tests/fuzz_$1" -max_total_time=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$work/results/$1/" "$work/corpus/$1" "${seeds[@]}" >"$log" 2>&1 || {
        tail -40 "$log"
        return 1
    }
}

build check-fuzz
if [ -z "$step_failed" ]; then
    say "Fuzzing each target for a minute, as many at a time as there are processors"
    running=()
    for source in tests/fuzz/*.c end; do
        name=$(basename "$source" .c)
        if [ "$name" = end ] || [ ${#running[@]} -eq "$(nproc)" ]; then
            for one in "${running[@]}"; do
                verdict "fuzz ${one%:*}" wait "${one#*:}"
            done
            running=()
        fi
        [ -x "build/check-fuzz/tests/fuzz_$name" ] || continue
        fuzz "$name" &
        running+=("$name:$!")
    done
fi

say "CLBlast"
verdict "clblast" env REVERIE_TEST_BLAS=1 build/check-gcc/tests/test_device --filter 'blas/*'
verdict "clblast in dense layers" env REVERIE_TEST_BLAS=1 build/check-gcc/tests/test_ops --filter 'dense_blas/*'

say "The measured peak"
verdict "peak" env REVERIE_TEST_SPEED=1 build/check-gcc/tests/test_device --filter 'measure/the_peak*'
verdict "load" env REVERIE_TEST_SPEED=1 build/check-gcc/tests/test_model --filter 'published/weights*'
verdict "further photo" env REVERIE_TEST_SPEED=1 build/check-gcc/tests/test_stages --filter 'stylizer/takes*'
