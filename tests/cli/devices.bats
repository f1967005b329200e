#!/usr/bin/env bats
# The list of devices, and what is said where there is none.
# SPDX-License-Identifier: MIT
load helper.bash

@test "devices lists at least one that passes its self-test" {
    works devices
    [[ ${lines[0]} == "index "* ]]
    [[ $output == *" passed "* ]]
}

@test "devices --json has the promised keys" {
    works devices --json
    for key in version device devices gpus_without_opencl index name platform driver type compute_units \
               global_bytes max_alloc_bytes block form self_test; do
        [[ $output == *"\"$key\": "* ]]
    done
}

@test "devices --report adds what a bug report needs" {
    works devices --report
    [[ $output == *"reverie "*"bytes of memory"*"OCL_ICD_VENDORS"* ]]
}

@test "without any device every command says what to install" {
    export OCL_ICD_VENDORS=/nonexistent
    fails 1 "there is no OpenCL device: install" devices
    run "$REVERIE" devices --json
    [ "$status" -eq 1 ]
    [[ $output == *'"devices": []'* ]]
}

@test "the self-test of a device ends with its verdict" {
    needs_device
    works --self-test 0
    fails 1 "there is no device 99" --self-test 99
    fails 2 "takes the index of a device" --self-test x
}

@test "a cache that cannot be written does not keep devices from working" {
    needs_device
    mkdir home
    touch home/.cache
    run env -u POCL_CACHE_DIR -u XDG_CACHE_HOME HOME="$PWD/home" "$REVERIE" devices
    [ "$status" -eq 0 ]
    [[ $output == *" passed "* ]]
}
