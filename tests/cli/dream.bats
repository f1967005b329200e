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

@test "a gallery shows what each layer dreams of" {
    works dream "${quick[@]}" photo.png --gallery --size 48 --estimate
    local foreseen=${lines[-1]}
    [[ $foreseen =~ ^photo.png:\ ([0-9]+\ x\ [0-9]+),\ about\ [0-9]+\ s,\ [0-9]+\ MB ]]
    [ ! -e photo_gallery.jpg ]
    local size=${BASH_REMATCH[1]}
    works dream "${quick[@]}" photo.png --gallery --size 48
    [[ ${lines[-1]} == "photo_gallery.jpg: $size, "* ]]
    [[ ${lines[-1]} =~ ^photo_gallery.jpg:\ [0-9]+\ x\ [0-9]+, ]]
    grep -aq ' gallery=1 model=vgg-s strength=1 size=48 octaves=2' photo_gallery.jpg
    fails 2 "leave out maximize" dream "${quick[@]}" photo.png --gallery -m relu1_1 -o other.jpg
    fails 2 "makes a sheet and no dream: leave out --resume" dream photo.png --gallery --resume
    fails 2 "leave out --save-every" dream photo.png --gallery --save-every 5
    fails 2 "leave out --preview" dream photo.png --gallery --preview p.jpg
    works dream "${quick[@]}" alpha.png --gallery --dry-run
    [ "${lines[-1]}" = "alpha.png (48 x 40) -> alpha_gallery.jpg" ]
    works dream "${quick[@]}" alpha.png --gallery --size 32 -o alpha.jpg
}

@test "frames of a film are numbered, and a film that was interrupted goes on to the same frames" {
    mkdir whole parts
    works dream "${quick[@]}" photo.png --size 64 --frames 3 --zoom 1.1 --rotate 3 -o whole
    [ "$(ls whole)" = "$(printf 'photo_dream_%04d.png\n' 0 1 2)" ]
    works dream "${quick[@]}" photo.png --size 64 --frames 1 --zoom 1.1 --rotate 3 -o parts
    fails 2 "'parts/photo_dream_0000.png' exists" dream "${quick[@]}" photo.png --size 64 --frames 3 -o parts
    works dream "${quick[@]}" photo.png --size 64 --frames 3 --zoom 1.1 --rotate 3 -o parts --resume
    cmp whole/photo_dream_0002.png parts/photo_dream_0002.png
    works dream "${quick[@]}" photo.png --size 64 --frames 3 --estimate
    [[ ${lines[-1]} =~ ^photo.png:\ 3\ frames\ of\ 64\ x\ 48,\ about\ [0-9]+\ s,\ [0-9]+\ MB ]]
    fails 2 "'./photo_dream_0001.png' is the --preview as well" dream photo.png --frames 2 -o . --preview photo_dream_0001.png
    fails 2 "is an input" dream photo.png --frames 2 --preview ./photo.png
    works dream photo.png -q --size 64 --octaves 2 --iterations 100000 --time-limit 1.2 --frames 1 --preview seen.png
    [ "$(od -An -tu1 -j24 -N2 seen.png)" = "   8   2" ]
    grep -aq 'iterations=100000 .* done=[0-9]' photo_dream_0000.png
    fails 2 "give --frames N as well" dream photo.png --zoom 2
    cp grey.png photo_dream_0001.png
    fails 2 "'photo_dream_0001.png' is an input" dream "${quick[@]}" photo.png --mask photo_dream_0001.png --frames 2 --overwrite
    cmp grey.png photo_dream_0001.png
    fails 2 "--frames takes one photo, not 2" dream photo.png alpha.png --frames 2
}

@test "what it would take is said, and nothing written" {
    works dream photo.png --estimate
    [[ ${lines[-1]} =~ ^photo.png:\ 96\ x\ 72,\ about\ [0-9]+\ s,\ [0-9]+\ MB\ of\ memory ]]
    [ ! -e photo_dream.jpg ]
}

@test "Ctrl-C leaves the dream so far, and --resume goes on to the same file" {
    works dream -q photo.png --iterations 6 -o whole.png
    "$REVERIE" dream -q photo.png --iterations 6 --save-every 1 -o part.png 2>said &
    local pid=$!
    for _ in $(seq 600); do
        [ ! -e part.png.state ] || break
        sleep 0.05
    done
    kill -INT $pid
    wait $pid || true
    if [ -e part.png.state ]; then # else it was faster than the signal
        grep -q 'to go on: .* --resume' said
        works dream -q photo.png --iterations 6 --save-every 1 -o part.png --resume
    fi
    cmp whole.png part.png
    [ ! -e part.png.state ]
}
