#!/usr/bin/env bats
# Measurements: not how fast, but that they are made and named as promised.
# SPDX-License-Identifier: MIT
load helper.bash

@test "bench peak prints its figures, and JSON with the promised keys" {
    works bench peak --json
    for key in version device fma_gflops copy_gbps launch_us; do
        [[ $output == *"\"$key\": "* ]]
    done
}

@test "bench stylize and infer measure any network, with the promised keys" {
    network tiny.prototxt
    works -q bench infer --model tiny.prototxt --batch 2 --json
    for key in seconds_per_batch ratio_to_peak batch model; do
        [[ $output == *"\"$key\": "* ]]
    done
    works -q bench stylize --model tiny.prototxt --size 32 --iterations 2 --json
    for key in seconds_per_iteration effective_gflops ratio_to_peak rss_bytes device_bytes \
               first_iteration_seconds; do
        [[ $output == *"\"$key\": "* ]]
    done
}

@test "bench train measures a step, with the promised keys" {
    works -q bench train --arch vgg-s --size 16 --batch 2 --json
    for key in images_per_second ratio_to_peak rss_bytes device_bytes seconds_per_step model peak; do
        [[ $output == *"\"$key\": "* ]]
    done
    works -q bench train --arch mlp --batch 5
    [[ $output == *"mlp at 28 px: "*"batches of 5"* ]]
    fails 2 "did you mean 'vgg-s'?" bench train --arch vggs
}

@test "bench elementwise relates what memory bounds to the rate of copying" {
    works -q bench elementwise --json --filter relu
    for key in case pass algorithm ms gbps ratio_to_copy copy_gbps; do
        [[ $output == *"\"$key\": "* ]]
    done
    [[ $output != *max_error* ]]
    works -q bench gemm --filter 'BATCH 1 *data' --json
    [ "$(grep -c '"case": ' <<<"$output")" -eq 1 ]
    [[ $output == *'"case": "vgg fc6, batch 1"'*'"pass": "backward_data"'* ]]
}

@test "bench all takes the usual models only" {
    fails 2 "leave out --model and --arch" bench all --arch vgg19
}

@test "bench all makes every measurement, in one object" {
    [ -n "${REVERIE_TEST_LONG:-}" ] || skip "it takes minutes: set REVERIE_TEST_LONG"
    works -q bench all --json --size 32 --iterations 2 --batch 1
    for key in version device peak conv error gemm elementwise stylize infer train; do
        [ "$(printf '%s\n' "$output" | grep -c "^  \"$key\": ")" -eq 1 ]
    done
    [[ $output != *'"augment"'* ]]
}

# interrupted TEXT ARGUMENT...: Ctrl-C once TEXT has been written as progress ends the program with 130
interrupted() {
    local text=$1 pid i status=0
    shift
    env --default-signal=INT "$REVERIE" "$@" --progress json >said 2>progress 3>&- &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        ! grep -q "$text" progress || break
        sleep 0.1
    done
    kill -s INT "$pid"
    wait "$pid" || status=$?
    cat said progress
    [ "$status" -eq 130 ]
    [ ! -s said ]
    [ "$(tail -n 1 progress)" = "reverie: interrupted" ]
}

@test "Ctrl-C ends a measurement, which names what it measures" {
    needs_device
    interrupted "bench peak: multiply-adds" bench peak
    interrupted "bench conv: vgg conv1_1 forward" bench conv
    interrupted "bench elementwise: relu, vgg relu1_2 forward" bench elementwise
    interrupted "bench infer" bench infer
}

@test "bench refuses what it cannot measure" {
    fails 2 "bench needs what to measure" bench
    fails 2 "did you mean 'peak'?" bench paek
    fails 2 "did you mean 'squeezenet'?" bench infer --arch squeezent
    fails 2 "exclude each other" bench infer --arch vgg19 --model vgg16
    fails 2 "--filter is for conv, error, gemm and elementwise" bench stylize --filter conv3
    fails 2 "no row of bench gemm matches 'conv3'; its cases are: 1024 cubed; " bench gemm --filter conv3
}
