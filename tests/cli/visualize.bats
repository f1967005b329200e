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
    fails 2 "names no layer" -q visualize activations tiny.prototxt photo.png --layers ,
    printf '%s\n' 'input: "data"' 'input_dim: 1' 'input_dim: 3' 'input_dim: 1' 'input_dim: 1' \
        'layer { name: "prob" type: "Softmax" bottom: "data" top: "prob" }' >dot.prototxt
    fails 2 "no layer of this model has maps" -q visualize activations dot.prototxt photo.png -o .
    fails 1 "there is no layer 'relu9' in tiny; the nearest is 'relu1'" \
        -q visualize activations tiny.prototxt photo.png --layers relu9
    fails 2 "would hold the sheets of 2 pictures" \
        -q visualize activations tiny.prototxt photo.png photo.png -o out.png
    fails 2 "'photo.png' is an input" \
        -q visualize activations tiny.prototxt photo.png -o photo.png --overwrite
    mkdir a maps
    cp photo.png a
    fails 2 "'maps/photo_data.png' would come from both photo.png and a/photo.png" \
        -q visualize activations tiny.prototxt photo.png a/photo.png -o maps --overwrite
    fails 2 "'photo_heatmap.png' would come from both photo.png and a/photo.png" \
        -q visualize heatmap tiny.prototxt photo.png a/photo.png
    fails 1 "nosuch.png" -q visualize activations tiny.prototxt nosuch.png
    [ ! -e nosuch_activations.png ]
}

# Names for the ten classes of the small network.
classes() { printf '%s\n' "tabby cat" "tiger cat" dog fox cup car boat tree sky "house cat" >labels.txt; }

@test "visualize heatmap draws the likeliest classes on a sheet, or each in a folder with values" {
    classes
    works visualize heatmap tiny.prototxt photo.png
    is_png photo_heatmap.png
    [[ $stderr == *"random weights"* && $stderr == *"photo_heatmap.png: 3 heat maps"* ]]
    fails 2 "'photo_heatmap.png' exists" -q visualize heatmap tiny.prototxt photo.png
    cp photo_heatmap.png first.png
    works -q visualize heatmap tiny.prototxt photo.png --overwrite
    cmp first.png photo_heatmap.png
    mkdir maps
    works -q visualize heatmap tiny.prototxt photo.png -o maps --npy --json --class "tiger cat" \
        --class 4 --method grad-cam,smoothgrad --samples 3 --size 32 --full-size
    [ "$(ls maps | tr '\n' ' ')" = "photo_grad-cam.npy photo_grad-cam_1.png photo_grad-cam_4.png photo_heatmap.png photo_smoothgrad.npy photo_smoothgrad_1.png photo_smoothgrad_4.png " ]
    [ "$(od -An -tu1 -j19 -N5 maps/photo_grad-cam_4.png)" = "  40   0   0   0  30" ]
    [[ $output == *'"label": "tiger cat"'* || $output == *'"label":"tiger cat"'* ]]
    [[ $output == *'"layer": "relu2"'* || $output == *'"layer":"relu2"'* ]]
    # float32 of two classes at the size that the network takes, behind a header of 128 bytes
    [ "$(stat -c %s maps/photo_smoothgrad.npy)" -eq $((128 + 2 * 4 * 32 * 32)) ]
    works -q visualize heatmap tiny.prototxt photo.png --method all --top 2 --steps 4 --samples 2 -o all.png
    is_png all.png
}

@test "visualize heatmap leaves out of all methods those that a network has nothing for" {
    cat >plain.prototxt <<'END'
name: "plain"
input: "data" input_shape { dim: 1 dim: 3 dim: 24 dim: 24 }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
END
    mkdir maps
    works visualize heatmap plain.prototxt photo.png --method all --top 1 --steps 4 --samples 2 -o maps --npy
    [[ $stderr == *"left out: plain has no layer with maps"* && $stderr == *"left out: plain has no rectifiers"* ]]
    [[ $stderr == *"maps/photo_heatmap.png: 4 heat maps"* ]]
    [ "$(cd maps && echo *.npy)" = "photo_integrated.npy photo_occlusion.npy photo_saliency.npy photo_smoothgrad.npy" ]
    fails 2 "has no rectifiers" -q visualize heatmap plain.prototxt photo.png --method guided -o other.png
    fails 2 "a window of 33 pixels is larger" \
        -q visualize heatmap plain.prototxt photo.png --method all --window 33 -o other.png
}

@test "visualize heatmap goes on behind a picture that cannot be read" {
    make png other.png 33 44
    fails_some() {
        run --separate-stderr "$REVERIE" -q visualize heatmap tiny.prototxt photo.png nosuch.png other.png
        ! no_device || needs_device
        [ "$status" -eq 1 ]
        [[ $stderr == *nosuch.png* && $stderr == *"1 of 3 files failed"* ]]
    }
    fails_some
    is_png photo_heatmap.png
    is_png other_heatmap.png
}

@test "visualize heatmap says what is wrong with what it is given" {
    classes
    fails 2 "visualize heatmap needs a picture" visualize heatmap
    fails 2 "there is no method 'cam'" visualize heatmap tiny.prototxt photo.png --method cam
    fails 2 "names saliency twice" visualize heatmap tiny.prototxt photo.png --method saliency,saliency
    fails 2 "'cat' may be any of" -q visualize heatmap tiny.prototxt photo.png --class cat
    fails 2 "--class names class 3 twice" -q visualize heatmap tiny.prototxt photo.png --class fox --class 3
    fails 1 "has no class 'fix'; the nearest" -q visualize heatmap tiny.prototxt photo.png --class fix
    fails 1 "there is no class 10" -q visualize heatmap tiny.prototxt photo.png --class 10
    fails 1 "there is no layer 'relu9'; the nearest is 'relu1'" \
        -q visualize heatmap tiny.prototxt photo.png --layers relu9
    fails 2 "'mean' has no maps" -q visualize heatmap tiny.prototxt photo.png --layers mean
    fails 2 "a window of 33 pixels is larger" \
        -q visualize heatmap tiny.prototxt photo.png --method occlusion --window 33
    dots_graph dots.prototxt
    make dots dots.caffemodel 3 0 0 128 63
    fails 1 "dots gives no class scores" -q visualize heatmap dots.caffemodel photo.png
    [ ! -e photo_heatmap.png ]
}

@test "visualize filters draws kernels as they are, and what channels look for" {
    works visualize filters
    is_png builtin_kernels.png
    few=(--layers relu3_1 --channels 0-2,7 --size 16 --steps 2 --progress none)
    works visualize filters "${few[@]}"
    is_png builtin_relu3_1.png
    fails 2 "'builtin_relu3_1.png' exists" visualize filters "${few[@]}"
    works visualize filters "${few[@]}" --json -o again.png
    [[ $output == *'"layer": "relu3_1"'* && $output == *'"effective_gflops"'* ]]
    cmp builtin_relu3_1.png again.png
    works -q visualize filters "${few[@]}" --seed 1 --direction both -o other.png
    run ! cmp -s again.png other.png
}

@test "visualize filters says what is wrong with what it is given" {
    fails 2 "builtin" -q visualize filters tiny.prototxt
    fails 2 "drawn at random" -q visualize filters tiny.prototxt --layers conv2
    fails 1 "there is no layer 'relu3_9' in vgg-s; the nearest is 'relu3_" \
        visualize filters --layers relu3_9
    fails 1 "there is no channel 128 in 'relu3_1', which has 128, from 0 to 127" \
        visualize filters --layers relu3_1 --channels 5,128
    fails 2 "--channels takes numbers and ranges" visualize filters --layers relu3_1 --channels 5-
    fails 2 "--channels takes numbers and ranges" visualize filters --layers relu3_1 --channels 9-5
    fails 2 "would hold the sheets of 2 layers" visualize filters --layers relu3_1,relu3_2 -o a.png
    fails 2 "has no use for 'photo.png'" visualize filters builtin photo.png
}
