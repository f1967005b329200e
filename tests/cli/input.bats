#!/usr/bin/env bats
# Bad files: each is one clear line, and nothing is written.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    make png good.png 40 30
    make png dot.png 1 1
    make png line.png 1 3000
    png_damage=1 make png crc.png 24 16
    make huge huge.png 60000 60000
    head -c 200 good.png >cut.png
    : >empty.png
    echo "This is a letter, not a picture." >letter.jpg
    mkdir folder.jpg
    printf '\0\0\0\030ftypheic' >phone.jpg
    printf '\0\0\0\030ftypavif' >web.jpg
    printf 'II*\0\020\0\0\0CR\002\0\0\0\0\0\0\0\0\0' >camera.jpg
    network tiny.prototxt
    sed 's/num_output: 8/num_outputs: 8/' tiny.prototxt >typo.prototxt
    sed 's/type: "ReLU"/type: "Rellu"/' tiny.prototxt >unknown.prototxt
    dots_graph dots.prototxt
    make dots dots.caffemodel 3 0 0 128 63
    make dots nan.caffemodel 3 0 0 192 127
    make dots wide.caffemodel 4 0 0 128 63
    head -c 40 dots.caffemodel >short.caffemodel
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    before=$(find . | sort)
}

teardown() {
    cd "$BATS_FILE_TMPDIR" || return
    [ "$(find . | sort)" = "$before" ]
}

# refused TEXT PICTURE: as photo, as style, and for a network
refused() {
    fails 1 "$1" stylize "$2" -s good.png
    fails 1 "$1" stylize good.png -s "$2"
    fails 1 "$1" stylize good.png -s good.png --init "$2"
    fails 1 "$1" classify -q tiny.prototxt "$2"
}

@test "a missing picture" { refused "none.jpg" none.jpg; }
@test "a folder as picture" { refused "folder" folder.jpg; }
@test "an empty picture" { refused "empty" empty.png; }
@test "a text file that is called .jpg" { refused "letter.jpg" letter.jpg; }
@test "a PNG with a wrong CRC" { refused "CRC" crc.png; }
@test "a PNG that ends early" { refused "cut.png" cut.png; }
@test "a header of 60000 x 60000 pixels" { refused "60000 x 60000" huge.png; }

@test "pictures of other formats are refused with the command that converts them" {
    refused "convert it first: heif-convert phone.jpg phone-converted.jpg" phone.jpg
    refused "convert it first: avifdec web.jpg web.png" web.jpg
    refused "convert it first: darktable-cli camera.jpg camera-converted.jpg" camera.jpg
}

@test "a file without leave to read it" {
    [ "$(id -u)" -ne 0 ] || skip "root may read all"
    work_folder
    cp "$BATS_FILE_TMPDIR/good.png" closed.png
    chmod 0 closed.png
    fails 1 "Permission denied" stylize closed.png -s "$BATS_FILE_TMPDIR/good.png"
}

@test "a name that is not UTF-8 is read" {
    work_folder
    cp "$BATS_FILE_TMPDIR/good.png" $'f\377r.png'
    works stylize $'f\377r.png' -s "$BATS_FILE_TMPDIR/good.png" --dry-run
}

@test "a JPEG that ends early is kept only with --allow-truncated" {
    work_folder
    make png big.png 160 120
    cp "$BATS_FILE_TMPDIR"/{tiny.prototxt,good.png} .
    quick=(-q -s good.png --model tiny.prototxt --content-layers relu2 --style-layers relu1 --iterations 1 --scales 1)
    works stylize big.png "${quick[@]}" -o whole.jpg
    head -c $(($(wc -c <whole.jpg) / 2)) whole.jpg >cut.jpg
    fails 1 "cut.jpg" stylize cut.jpg "${quick[@]}"
    works stylize cut.jpg "${quick[@]}" --allow-truncated -o out.jpg
    [ -s out.jpg ]
}

@test "pictures of one column or pixel give a picture or one clear line" {
    needs_device
    work_folder
    for name in dot line; do
        run --separate-stderr "$REVERIE" stylize -q "$BATS_FILE_TMPDIR/$name.png" -s "$BATS_FILE_TMPDIR/good.png" \
            --iterations 1 -o $name.png
        if [ "$status" -eq 0 ]; then
            [ -s $name.png ]
        else
            [ "$status" -eq 1 ]
            [[ $stderr == "reverie: "*"the photo"* && $stderr != *$'\n'* ]]
            [ ! -e $name.png ]
        fi
    done
}

@test "a style of one pixel is called too small" {
    work_folder
    good=$BATS_FILE_TMPDIR/good.png
    for model in builtin patches; do
        fails 1 "a style is 1 pixels there" stylize "$good" -s "$BATS_FILE_TMPDIR/dot.png" -o dot.png --model $model
    done
    fails 1 "a style, 1 x 1 pixels there: 'pool1'" stylize -q "$good" -s "$BATS_FILE_TMPDIR/dot.png" -o dot.png \
        --model "$BATS_FILE_TMPDIR/tiny.prototxt" --preset gatys --content-layers relu2 --style-layers relu2
    [ ! -e dot.png ]
}

@test "--max-pixels is a limit of one's own" {
    fails 1 "--max-pixels" stylize good.png -s good.png --max-pixels 1199
    works stylize good.png -s good.png --max-pixels 1200 --dry-run
}

@test "a model that is not there" {
    fails 1 "none.caffemodel" classify none.caffemodel good.png
    fails 1 "the nearest is 'vgg16' ('reverie models list' names all)" models info vgg18
    fails 1 "the nearest is 'squeezenet'" stylize good.png -s good.png --model sqeezenet
    fails 2 "'tiny.prototxt' is taken for a model" classify tiny.prototxt
    fails 1 "is a folder" models info folder.jpg
    fails 1 "none.prototxt" models info dots.caffemodel --graph none.prototxt
}

@test "a caffemodel that is cut short" {
    fails 1 "short.caffemodel" models info short.caffemodel --graph dots.prototxt
}

@test "a prototxt with a typo names the line" {
    fails 1 "typo.prototxt:4" models info typo.prototxt
}

@test "an operation that Reverie has not is named with its layer" {
    fails 1 "Rellu" models info unknown.prototxt
    fails 1 "relu1" models info unknown.prototxt
}

@test "weights of another shape name the layer" {
    fails 1 "'dots'" classify wide.caffemodel good.png --graph dots.prototxt
}

@test "weights that are no numbers name the tensor" {
    fails 1 "dots" extract nan.caffemodel good.png --graph dots.prototxt --layers dots -o "$BATS_TEST_TMPDIR/x.npy"
    fails 1 "dots" stylize good.png -s good.png --model nan.caffemodel --graph dots.prototxt \
        --content-layers dots --style-layers dots -o "$BATS_TEST_TMPDIR/x.png"
    [ ! -e "$BATS_TEST_TMPDIR/x.npy" ] && [ ! -e "$BATS_TEST_TMPDIR/x.png" ]
}

@test "a name with a line break stays one line" {
    fails 1 "a?b.jpg" stylize $'a\nb.jpg' -s good.png
}
