#!/usr/bin/env bats
# reverie visualize: sheets of what a network does.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # status, output and stderr are set by run

load helper.bash

setup() {
    work_folder
    network tiny.prototxt
    make png photo.png 40 30
}

is_png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ]; }

@test "visualize activations draws all layers on one sheet, or each in a folder" {
    works visualize activations tiny.prototxt photo.png
    is_png photo_activations.png
    [[ $stderr == *"photo_activations.png: 6 layers"* ]]
    fails 2 "'photo_activations.png' exists" -q visualize activations tiny.prototxt photo.png
    works -q visualize activations tiny.prototxt photo.png --overwrite
    cp photo_activations.png first.png
    works -q visualize activations tiny.prototxt photo.png --overwrite
    cmp first.png photo_activations.png
    mkdir maps
    works -q visualize activations tiny.prototxt photo.png --layers relu1,pool1 -o maps --npy --json
    [[ $output == *'"layers": ["relu1"]'* || $output == *'"relu1"'* ]]
    [ "$(ls maps | tr '\n' ' ')" = "photo_pool1.npy photo_pool1.png photo_relu1.npy photo_relu1.png " ]
    works -q extract tiny.prototxt photo.png --layers pool1 -o pool1.npy
    cmp pool1.npy maps/photo_pool1.npy
}

@test "visualize activations says what is wrong with what it is given" {
    fails 2 "visualize needs what to draw" visualize
    fails 2 "did you mean 'activations'" visualize activation photo.png
    fails 2 "visualize activations needs a picture" visualize activations
    fails 1 "there is no layer 'relu9' in tiny; the nearest is 'relu1'" \
        -q visualize activations tiny.prototxt photo.png --layers relu9
    fails 2 "would hold the sheets of 2 pictures" \
        -q visualize activations tiny.prototxt photo.png photo.png -o out.png
    fails 2 "'photo.png' is an input" \
        -q visualize activations tiny.prototxt photo.png -o photo.png --overwrite
    fails 1 "nosuch.png" -q visualize activations tiny.prototxt nosuch.png
    [ ! -e nosuch_activations.png ]
}
