#!/usr/bin/env bats
# Dreams over photos: from the command to the file.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    make png photo.png 96 72
    make png alpha.png 48 40 4
    make png grey.png 40 40
    network tiny.prototxt
}

setup() {
    work_folder
    cp "$BATS_FILE_TMPDIR"/* .
    model=builtin
    "$REVERIE" models info builtin >/dev/null 2>&1 || skip "this copy has no built-in network"
}

quick=(-q --iterations 1 --octaves 2)

@test "a photo becomes a dream with what there is by default, and says how" {
    works dream photo.png --iterations 2
    [[ ${lines[-1]} =~ ^photo_dream.jpg:\ 96\ x\ 72,\ [0-9.]+\ s$ ]]
    grep -aq 'reverie=.* photo="photo.png" model=vgg-s maximize=relu4_2 strength=1 size=96 octaves=' photo_dream.jpg
    fails 2 "'photo_dream.jpg' exists; add --overwrite" dream photo.png
}

@test "the same dream twice is the same file, a mask leaves the rest alone, alpha stays" {
    works dream "${quick[@]}" alpha.png -o a.png
    works dream "${quick[@]}" alpha.png -o b.png
    cmp a.png b.png
    works dream "${quick[@]}" photo.png --mask grey.png --strength 0 --strip -o c.png
    works dream "${quick[@]}" photo.png --dry-run
    [ "${lines[-1]}" = "photo.png (96 x 72) -> photo_dream.jpg" ]
    [ ! -e photo_dream.jpg ]
}

@test "what is wrong with an expression is said with its place" {
    local message='maximize: a layer is missing at character 11 of'
    fails 2 "$message" dream "${quick[@]}" photo.png -m 'relu4_2 + * 2'
    fails 1 "'relu4_22'" dream "${quick[@]}" photo.png -m 'relu4_2 + relu4_22'
    fails 1 "'conv1_1' has 32 channels, from 0 to 31: there is no 99" dream "${quick[@]}" photo.png -m 'conv1_1:99'
    fails 1 "the nearest of its 200 is" dream "${quick[@]}" photo.png -m 'class:tabbi'
    fails 2 "there is no guide" dream "${quick[@]}" photo.png -m 'guide:relu3_2'
    fails 1 "the guide has 40 x 40 pixels" dream "${quick[@]}" photo.png --guide grey.png -m 'guide:relu5_1'
}

@test "a network without trained weights is refused, with what to take" {
    fails 2 "has no trained weights" dream -q photo.png --model tiny.prototxt
    [[ $stderr == *"take builtin"* ]]
}

@test "many photos are worked through, one bad one is listed" {
    mkdir out
    echo junk >bad.png
    run --separate-stderr "$REVERIE" dream "${quick[@]}" photo.png bad.png alpha.png -o out/
    [ "$status" -eq 1 ]
    [ -s out/photo_dream.jpg ]
    [ -s out/alpha_dream.png ]
    [[ $stderr == *"1 of 3 photos failed"* ]]
}
