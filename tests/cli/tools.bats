#!/usr/bin/env bats
# The scripts of tools/ that make what is shipped, on toy data.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # status, output and stderr are set by run
load helper.bash

tool=$BATS_TEST_DIRNAME/../../tools/train_builtin

# toy: pictures of two classes in the form of Tiny ImageNet
toy() {
    local class i
    mkdir -p toy/val/images
    for class in checks waves; do
        mkdir -p "toy/train/$class/images"
        make png shared.png 20 18 3 8 "$class"
        for i in 0 1 2 3 4; do
            cp shared.png "toy/train/$class/images/$i.png"
        done
        cp shared.png "toy/val/images/$class.png"
        printf '%s.png\t%s\t0\t0\t17\t17\n' "$class" "$class" >>toy/val/val_annotations.txt
    done
    printf 'all\tentity\nwaves\trolling waves\nchecks\tchess boards\n' >toy/words.txt
}

@test "train_builtin makes a file of the built-in network that classify uses, and goes on where it was" {
    needs_device
    toy
    toys=(--size 16 --epochs 1 --batch 4 --max-steps 2 --validation 0.2)
    run --separate-stderr "$tool" toy out "${toys[@]}"
    printf '%s\n' "$status" "$output" "$stderr"
    [ "$status" -eq 0 ]
    [[ $output == *"Phase 1"*"Phase 2"*"Phase 3"*"Converting"*"Measuring on out/val.csv"*"cp out/vgg-s.safetensors"* ]]
    [ "$(wc -l <out/vgg-s.csv)" -eq 4 ]
    [ "$(wc -c <out/vgg-s.safetensors)" -lt 4000000 ]
    [[ $(cat out/val.json) == *'"count": 2'* ]]
    works models info out/vgg-s.safetensors
    [[ $output == *"Licence: MIT, as far as"* ]]
    [[ $output == *"reverie train DATA/train --model RUN/2/last.safetensors --size 64"*"Right of the 2 pictures of val: "* ]]
    REVERIE_DATA_DIR=out works -q classify toy/val/images/waves.png
    [[ $output == *"rolling waves"* && $output == *"chess boards"* ]]
    rm out/3.done out/vgg-s.safetensors
    run --separate-stderr "$tool" toy out "${toys[@]}"
    [ "$status" -eq 0 ]
    [[ $output != *"Phase 2"* && $output == *"Phase 3"* && $output != *Measuring* ]]
    [ -s out/vgg-s.safetensors ]
}

@test "train_builtin says what it takes" {
    run --separate-stderr "$tool" toy
    [ "$status" -eq 2 ]
    [[ $stderr == *"DATA   the unpacked Tiny ImageNet"* ]]
    run --separate-stderr "$tool" none out
    [ "$status" -eq 1 ]
    [ "$stderr" = "train_builtin: there is no folder none/train" ]
}
