#!/usr/bin/env bats
# Tuning: what is tried, printed and kept.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup() {
    work_folder
    network tiny.prototxt
    mkdir cache
    # The kernels that the tests share are kept apart from the table.
    export XDG_CACHE_HOME=$PWD/cache
}

@test "tune prints each layer's algorithms and keeps the fastest" {
    works -q tune --model tiny.prototxt --size 32 --json
    for key in version device model rows case pass layers candidates before ms_before best ms; do
        [[ $output == *"\"$key\": "* ]]
    done
    [ "$(find cache/reverie/tuning -name '*.txt' | wc -l)" -eq 1 ]
    grep -q "^conv forward num_output=10 kernel=3,3 pads=1,1,1,1 1x8x2^8 blocked -> 1x10x2^8 blocked	" cache/reverie/tuning/*.txt
    grep -q "^conv backward_data num_output=10 " cache/reverie/tuning/*.txt
    works -q tune --model tiny.prototxt --size 32
    [[ $output == *"conv2 "*"forward "* ]]
    [[ ${lines[-1]} =~ ^all\ of\ these:\ [0-9.]+\ ms\ by\ shape\ alone,\ [0-9.]+\ ms\ as\ tuned ]]
}

@test "tune for inference and training tries the passes of these" {
    works -q tune --model tiny.prototxt --for infer
    [[ $output == *" forward "* && $output != *backward* ]]
    works -q tune --arch vgg-s --for train --batch 2
    [[ $output == *backward_data* ]]
}

@test "tune says what it cannot do" {
    touch file
    XDG_CACHE_HOME=$PWD/file fails 1 "there is a file of that name" -q tune --model tiny.prototxt --size 32
    fails 2 "exclude each other" tune --arch vgg19 --model tiny.prototxt
    fails 2 "tune has no use for 'photo.jpg'" tune photo.jpg
}
