#!/usr/bin/env bats
# Styling photos: from the command to the file.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    make png photo.png 48 36
    make png second.png 40 40
    make png style.png 40 32 3 8 checks
    make png alpha.png 32 24 4
    make png deep.png 32 24 3 16
    network tiny.prototxt
}

setup() {
    work_folder
    cp "$BATS_FILE_TMPDIR"/* .
}

# A network that takes no time.
quick=(-q --model tiny.prototxt --content-layers relu2 --style-layers 'relu1,relu2' --iterations 2 --scales 1)

# only FILE...: these, and what every test begins with, are in the folder
only() {
    local wanted
    wanted=$(printf '%s\n' photo.png second.png style.png alpha.png deep.png tiny.prototxt "$@" | sort)
    [ "$(find . -mindepth 1 | sed 's|^\./||' | sort)" = "$wanted" ]
}

@test "a photo and a style make a picture with what there is by default" {
    mkdir data
    REVERIE_DATA_DIR=data works stylize photo.png --style style.png --size 40 --iterations 3
    rmdir data
    [[ ${lines[-1]} =~ ^photo_style.jpg:\ 40\ x\ 30,\ [0-9.]+\ s\;\ styled\ at\ 40\ x\ 30\ of\ 48\ x\ 36,\ --size\ 48\ needs\ [0-9.]+\ GB,\ about\ [0-9]+\ s$ ]]
    [ "$(head -c 2 photo_style.jpg | od -An -tx1)" = " ff d8" ]
    grep -aq 'reverie=.* photo="photo.png" style="style.png" model=patches preset=default size=40 ' photo_style.jpg
    only photo_style.jpg
}

@test "what a larger picture would take is not said by a single iteration, which tells no speed" {
    works stylize photo.png -s style.png --model patches --size 40 --scales 1 --iterations 1 -o out.png
    [[ ${lines[-1]} =~ ^out.png:\ 40\ x\ 30,\ [0-9.]+\ s\;\ styled\ at\ 40\ x\ 30\ of\ 48\ x\ 36$ ]]
}

@test "--estimate says what it would take, and writes nothing" {
    works stylize photo.png -s style.png --size 32 --iterations 2 --estimate -o never.png
    [[ $output =~ ^photo\.png:\ [0-9]+\ x\ [0-9]+,\ about\ [0-9]+\ s,\ [0-9]+\ MB\ of\ memory ]]
    [ ! -e never.png ]
    works stylize photo.png -s style.png --size 32 --iterations 2 --estimate --json
    [[ $output == *'"seconds": '*'"process_bytes": '*'"device_bytes": '* ]]
}

@test "the same command makes the same file, whatever its name, threads and progress" {
    works stylize photo.png -s style.png --size 32 --iterations 2 --init noise -o one.png
    works stylize photo.png -s style.png --size 32 --iterations 2 --init noise -o two.png --progress json --threads 1
    cmp one.png two.png
    works stylize photo.png -s style.png --size 32 --iterations 2 --init noise -o three.png --seed 1
    run ! cmp -s one.png three.png
}

@test "a network with named layers, mixed styles and a start of one's own" {
    works stylize photo.png -s style.png:2 -s second.png "${quick[@]}" --init second.png -o out.png
    [[ ${lines[-1]} == "out.png: 48 x 36, "* ]]
    grep -aq 'style="style.png" style="second.png" init_image="second.png"' out.png
    run ! grep -aq weights_sha256 out.png # drawn at random
    dots_graph dots.prototxt
    make dots dots.caffemodel 3 0 0 128 63
    works stylize photo.png -s style.png -q --model dots.caffemodel --content-layers dots --style-layers dots \
        --iterations 1 --scales 1 --preprocess unit -o dots.png
    grep -aq " preprocess=\"unit\" .* weights_sha256=$(sha256sum dots.caffemodel | cut -d ' ' -f 1)" dots.png
    fails 1 "--init takes content, style, noise or a picture; there is no file 'nois'" \
        stylize photo.png -s style.png "${quick[@]}" --init nois
    works stylize photo.png -s style.png "${quick[@]}" --pooling average --optimizer lbfgs --learning-rate 0.5 \
        --content-weight 2 --style-weight 50 --tv-weight 0 -o other.png
    grep -aq 'optimizer=lbfgs.* pooling=average' other.png
}

@test "a preset is a table of defaults, which options go before" {
    works stylize photo.png -s style.png "${quick[@]}" --preset gatys --style-weight 50 -o gatys.png
    grep -aq ' preset=gatys .*content_weight=5 style_weight=50 .*optimizer=lbfgs' gatys.png
    run ! grep -aq 'pooling=' gatys.png
    works stylize photo.png -s style.png "${quick[@]}" -o usual.png
    grep -aq ' preset=default .*optimizer=lbfgs .*pooling=binomial' usual.png
    works stylize photo.png -s style.png "${quick[@]}" --preset best --style-loss wasserstein -o best.png
    grep -aq ' preset=best .*style_loss=wasserstein ' best.png
    works stylize photo.png -s style.png --model patches --size 32 --fast -o fast.png
    grep -aq ' preset=fast .*iterations=32 ' fast.png
    fails 2 "--fast is --preset fast: leave out --preset gatys" stylize photo.png -s style.png --fast --preset gatys
    fails 2 "--preset" stylize photo.png -s style.png --preset slow
    fails 2 "preset gatys compares layers of a network: 'patches' has none" \
        stylize photo.png -s style.png --model patches --preset gatys
}

@test "a network for grey pictures is refused in words" {
    fails 1 "lenet looks at grey pictures: stylize needs a network for colours, or patches" \
        stylize photo.png -s style.png -q --model lenet
}

@test "IMAGE:WEIGHT is split only where no file has the whole name" {
    cp style.png style.png:2
    works stylize photo.png -s style.png:2 "${quick[@]}" -o out.png
    grep -aq 'style="style.png:2"' out.png
    fails 2 "above 0" stylize photo.png -s second.png:0 "${quick[@]}"
    fails 1 "none.png" stylize photo.png -s none.png:2 "${quick[@]}"
    fails 2 "there is no file 'none.png:x': the weight after its ':'" stylize photo.png -s none.png:x "${quick[@]}"
    fails 2 "must be from 0 to" stylize photo.png -s style.png:-1 "${quick[@]}"
    fails 2 "':2' names no picture" stylize photo.png -s :2 "${quick[@]}"
}

@test "alpha and 16 bits become PNG; alpha is refused as JPEG before any work" {
    works stylize alpha.png deep.png -s style.png "${quick[@]}"
    [ "$(od -An -tu1 -j24 -N2 alpha_style.png)" = "   8   6" ]
    [ "$(od -An -tu1 -j24 -N2 deep_style.png)" = "  16   2" ]
    fails 2 "write a .png" stylize alpha.png -s style.png "${quick[@]}" -o out.jpg
    fails 2 "one of .jpg, .jpeg, .png" stylize photo.png -s style.png "${quick[@]}" -o out.gif
    only alpha_style.png deep_style.png
}

@test "TIFF and WebP are written where they are built, and 16 bits are dithered for JPEG" {
    works stylize deep.png -s style.png "${quick[@]}" -o deep.jpg --icc keep
    [ "$(head -c 3 deep.jpg | od -An -tx1)" = " ff d8 ff" ]
    if "$REVERIE" --version | grep -q WebP; then
        works stylize alpha.png -s style.png "${quick[@]}" -o alpha.webp
        [ "$(head -c 12 alpha.webp | tail -c 4)" = WEBP ]
        rm alpha.webp
    fi
    if "$REVERIE" --version | grep -q TIFF; then
        works stylize deep.png -s style.png "${quick[@]}" -o deep.tif
        [ "$(head -c 4 deep.tif | od -An -tx1)" = " 49 49 2a 00" ]
        works stylize deep.tif -s style.png "${quick[@]}" -o again.png
        [ "$(od -An -tu1 -j24 -N2 again.png)" = "  16   2" ]
        rm deep.tif again.png
    fi
    rm -f deep.jpg
}

@test "--strip leaves the settings out" {
    works stylize photo.png -s style.png "${quick[@]}" --strip
    run ! grep -aq reverie photo_style.jpg
}

@test "--quality changes the size of the file" {
    works stylize photo.png -s style.png "${quick[@]}" -o good.jpg
    works stylize photo.png -s style.png "${quick[@]}" -o bad.jpg --quality 10
    [ "$(wc -c <bad.jpg)" -lt "$(wc -c <good.jpg)" ]
}

@test "nothing is enlarged" {
    works stylize photo.png -s style.png "${quick[@]}" --size 4000
    [[ ${lines[-1]} == "photo_style.jpg: 48 x 36, "* ]]
}

@test "--output-size enlarges what was styled, with the detail of the photo" {
    works stylize alpha.png -s style.png "${quick[@]}" --size 16 --output-size photo
    [[ ${lines[-1]} == "alpha_style.png: 32 x 24, "* ]]
    grep -aq 'size=16 .* output_size=32 detail=1' alpha_style.png
    works stylize photo.png -s style.png "${quick[@]}" --size 16 --output-size 100 --detail 0 -o large.png
    [[ ${lines[-1]} == "large.png: 100 x 75, "* ]]
    works stylize photo.png -s style.png "${quick[@]}" --output-size 20 -o small.png
    [[ ${lines[-1]} == "small.png: 20 x 15, "* ]]
    fails 2 "--output-size takes photo or 16 to 65535, not foto" stylize photo.png -s style.png --output-size foto
    fails 2 "--output-size takes photo or 16 to 65535, not 20x" stylize photo.png -s style.png --output-size 20x
    fails 2 "--detail takes 0 to 1, not 2" stylize photo.png -s style.png --detail 2
}

@test "--strength goes from the photo to the style, --preserve-color keeps its colours" {
    works stylize photo.png -s style.png "${quick[@]}" --strength 0 -o same.png
    grep -aq ' strength=0 style_scale=1 preserve_color=none' same.png
    works stylize photo.png -s style.png "${quick[@]}" --strength 0.25 -o some.png
    run ! cmp -s same.png some.png
    works stylize deep.png -s style.png "${quick[@]}" --preserve-color luminance -o own.png
    [ "$(od -An -tu1 -j24 -N2 own.png)" = "  16   2" ]
    grep -aq ' preserve_color=luminance' own.png
    works stylize photo.png -s style.png "${quick[@]}" --preserve-color match -o palette.png
    grep -aq ' preserve_color=match' palette.png
    fails 2 "--strength takes 0 to 1, not 1.5" stylize photo.png -s style.png --strength 1.5
    fails 2 "--preserve-color" stylize photo.png -s style.png --preserve-color hue
}

@test "--style-scale says where the style is too small for it" {
    works stylize photo.png -s style.png "${quick[@]:1}" --style-scale 0.5 -o fine.png
    [[ $stderr != *"style 1 has"* ]]
    works stylize photo.png -s style.png "${quick[@]:1}" --style-scale 2 -o coarse.png
    [[ $stderr == *"style 1 has 40 pixels on its longest side, not the 96 that a style_scale of 2 takes"* ]]
    fails 2 "--style-scale takes 0.1 to 10, not 0" stylize photo.png -s style.png --style-scale 0
}

@test "--sheet shows a photo in each style at four strengths" {
    works stylize photo.png -s style.png -s second.png "${quick[@]}" --size 40 --sheet sheet.png
    [[ ${lines[-1]} == "sheet.png: 180 x 112, "* ]]
    grep -aq 'photo="photo.png" style="style.png" style="second.png" .* sheet=0.25,0.5,0.75,1' sheet.png
    fails 2 "'sheet.png' exists; add --overwrite" stylize photo.png -s style.png "${quick[@]}" --sheet sheet.png
    works stylize photo.png -s style.png "${quick[@]}" --sheet other.png --estimate
    [[ $output =~ ^photo\.png:\ [0-9]+\ x\ [0-9]+,\ about ]]
    works stylize photo.png -s style.png "${quick[@]}" --sheet other.png --dry-run
    [ "${lines[0]}" = "photo.png (48 x 36) -> other.png" ]
    works stylize alpha.png -s style.png "${quick[@]}" --sheet alpha.jpg --dry-run
    fails 2 "--sheet other.png is no folder, but there are 2 photos" stylize photo.png deep.png -s style.png --sheet other.png
    mkdir photos
    cp photo.png deep.png photos
    fails 2 "--sheet other.png is no folder, but there are 2 photos" stylize photos -s style.png --sheet other.png
    rm -r photos
    fails 2 "shows each style alone: leave out the weight of second.png" stylize photo.png -s style.png -s second.png:2 --sheet other.png
    fails 2 "shows four strengths: leave out --strength" stylize photo.png -s style.png --sheet other.png --strength 0.2
    fails 2 "makes a sheet and no result: leave out -o" stylize photo.png -s style.png --sheet other.png -o out.png
    only sheet.png
}

@test "--dry-run checks, says what would be written, and writes nothing" {
    works stylize photo.png alpha.png -s style.png --dry-run
    [ "${lines[0]}" = "photo.png (48 x 36) -> photo_style.jpg" ]
    [ "${lines[1]}" = "alpha.png (32 x 24) -> alpha_style.png" ]
    works stylize photo.png -s style.png --dry-run --json
    [[ $output == *'"file": "photo_style.jpg"'* ]]
    only
}

@test "an output that exists is an error, unless --overwrite; in a batch it is skipped and said" {
    echo kept >photo_style.jpg
    fails 2 "'photo_style.jpg' exists; add --overwrite" stylize photo.png -s style.png "${quick[@]}"
    [ "$(cat photo_style.jpg)" = kept ]
    works stylize photo.png second.png -s style.png "${quick[@]}"
    [[ $stderr == *"skipped: 'photo_style.jpg' exists"* ]]
    [ "$(cat photo_style.jpg)" = kept ]
    [ -s second_style.jpg ]
    # Whose result is there is not read.
    head -c 3000 second.png >cut.png
    mv cut.png second.png
    works stylize photo.png second.png -s style.png "${quick[@]}"
    [[ $stderr == *"skipped: 'second_style.jpg' exists"* ]]
    works stylize photo.png -s style.png "${quick[@]}" --overwrite
    [ "$(cat photo_style.jpg)" != kept ]
}

@test "an input is never overwritten" {
    cp photo.png before.png
    for input in photo.png ./style.png; do
        fails 2 "is an input" stylize photo.png -s style.png "${quick[@]}" --overwrite -o "$input"
    done
    ln -s photo.png link.png
    fails 2 "is an input" stylize photo.png -s style.png "${quick[@]}" --overwrite -o link.png
    cmp before.png photo.png
}

@test "one bad photo of many is named, the others are made" {
    needs_device
    echo "no picture" >bad.jpg
    run --separate-stderr "$REVERIE" stylize photo.png bad.jpg none.jpg second.png -s style.png "${quick[@]}"
    [ "$status" -eq 1 ]
    [[ $stderr == *"bad.jpg"*"none.jpg"*"2 of 4 photos failed"* ]]
    [ ${#lines[@]} -eq 2 ]
    only bad.jpg photo_style.jpg second_style.jpg
    # Every kind of photo in a folder: 16 bits, alpha, grey, CMYK, palette, interlaced, progressive, turned, profiles.
    local seeds=$BATS_TEST_DIRNAME/../fuzz/seeds made=0 name
    mkdir every results
    cp "$seeds"/{jpeg/*.jpg,png/*.png} deep.png every
    make png every/large.png 130 77
    head -c 200 every/baseline.jpg >every/broken.jpg
    "$REVERIE" --version | grep -q TIFF && cp "$seeds/tiff/rgba16_tiled_planes.tif" every
    "$REVERIE" --version | grep -q WebP && cp "$seeds/webp/lossy.webp" every
    run --separate-stderr "$REVERIE" stylize every -s style.png "${quick[@]}" --size 16 --output-size photo -o results
    printf '%s\n' "$output" "$stderr"
    [ "$status" -eq 1 ]
    [[ $stderr == *"every/broken.jpg: the JPEG is cut off: its 200 bytes end within the header"* ]]
    [[ $stderr == *"1 of $(find every -type f | wc -l) photos failed"* ]]
    while read -r name as size; do
        [ -e "every/$name" ] || continue # TIFF or WebP is not built
        grep -q "^results/${name%.*}_style.$as: $size, " <<<"$output"
        made=$((made + 1))
    done <<'END'
baseline.jpg jpg 17 x 20
deep.png png 32 x 24
deep_alpha.png png 9 x 11
grey.png jpg 11 x 9
grey_arithmetic.jpg jpg 20 x 17
large.png jpg 130 x 77
lossy.webp jpg 20 x 18
palette_interlaced.png png 11 x 9
progressive_cmyk.jpg jpg 20 x 17
rgb_restarts.jpg jpg 20 x 17
rgba16_tiled_planes.tif png 18 x 20
END
    [ "$(find results -type f | wc -l)" -eq "$made" ]
    [ "$(od -An -tu1 -j24 -N2 results/deep_style.png)" = "  16   2" ]
    [ "$(od -An -tu1 -j24 -N2 results/deep_alpha_style.png)" = "  16   6" ]
    [ "$(od -An -tu1 -j24 -N2 results/palette_interlaced_style.png)" = "   8   6" ]
}

@test "several photos need a folder, and a name each" {
    mkdir results more
    cp second.png more/photo.png
    fails 2 "is no folder" stylize photo.png second.png -s style.png "${quick[@]}" -o out.jpg
    fails 1 "make it first" stylize photo.png second.png -s style.png "${quick[@]}" -o none/
    works stylize photo.png second.png -s style.png "${quick[@]}" -o results
    [ -s results/photo_style.jpg ] && [ -s results/second_style.jpg ]
    run --separate-stderr "$REVERIE" stylize photo.png more/photo.png -s style.png "${quick[@]}"
    [ "$status" -eq 1 ]
    [[ $stderr == *"would come from both photo.png and more/photo.png"* ]]
}

@test "an output that cannot be written is found before the work" {
    fails 1 "there is no folder 'none'" stylize photo.png -s style.png -o none/out.jpg
    mkdir locked
    if [ "$(id -u)" -eq 0 ]; then # who may write everywhere, but not on what is mounted read-only
        mount -t tmpfs -o ro none locked 2>/dev/null || skip "root may write everywhere"
    else
        chmod 500 locked
    fi
    fails 1 "cannot be written to" stylize photo.png -s style.png -o locked/out.jpg
    [ "$(id -u)" -ne 0 ] || umount locked
}

@test "a pipe as output is refused before the work" {
    mkfifo pipe.jpg
    fails 1 "'pipe.jpg' is neither a file nor a folder" stylize photo.png -s style.png -o pipe.jpg --overwrite
}

@test "names of files are kept as one line without quotes" {
    cp photo.png $'a\n"b" c.png'
    works stylize $'a\n"b" c.png' -s style.png "${quick[@]}" -o out.png
    grep -aq 'photo="a??b? c.png" style="style.png"' out.png
    cp photo.png $'\xff.png'
    cp photo.png ./-x.png
    works stylize $'\xff.png' ./-x.png -s style.png "${quick[@]}" --json
    [[ $output == *'"file": "?_style.jpg"'* ]]
    [ -s $'\xff_style.jpg' ] && [ -s ./-x_style.jpg ]
}

@test "a full disk leaves no part of a picture" {
    needs_device
    mkdir small
    mount -t tmpfs -o size=8k none small 2>/dev/null || skip "only root can make a small disk"
    head -c 8192 /dev/zero >small/filler
    run --separate-stderr "$REVERIE" stylize photo.png -s style.png "${quick[@]}" -o small/out.png
    files=$(ls -A small)
    umount small
    [ "$status" -eq 1 ]
    [[ $stderr == "reverie: "*"small/out.png"*"disk full"* ]]
    [ "$files" = filler ]
}

@test "--json prints one object with the promised keys, --progress json an object a line" {
    works stylize photo.png second.png -s style.png "${quick[@]}" --json --progress json
    for key in version device outputs file width height seconds iterations loss skipped failed; do
        [[ $output == *"\"$key\": "* ]]
    done
    [ "$(printf '%s\n' "$output" | grep -c '^{$')" -eq 1 ]
    [ "$(printf '%s\n' "$stderr" | grep -vcE '^\{"task": .*\}$')" -eq 0 ]
    if command -v jq >/dev/null; then
        [ "$(printf '%s\n' "$output" | jq '.outputs | length')" = 2 ]
    fi
}

# interrupt SIGNAL: sends it once there is progress; sets `status`
interrupt() {
    local pid i
    : >progress # not that of the run before
    env --default-signal=INT,TERM "$REVERIE" stylize photo.png second.png -s style.png "${quick[@]}" \
        --iterations 100000 --progress json >said 2>progress 3>&- &
    pid=$!
    for ((i = 0; i < 300; i++)); do
        ! grep -q '"done"' progress || break
        sleep 0.1
    done
    kill -s "$1" "$pid"
    status=0
    wait "$pid" || status=$?
}

@test "Ctrl-C and SIGTERM write the picture so far and end with 130" {
    needs_device
    for signal in INT TERM; do
        rm -f photo_style.jpg
        interrupt $signal
        [ "$status" -eq 130 ]
        grep -q "interrupted: the picture so far is in photo_style.jpg" progress
        grep -q "^photo_style.jpg: 48 x 36, " said
        [ "$(head -c 2 photo_style.jpg | od -An -tx1)" = " ff d8" ]
        [ ! -e second_style.jpg ]
    done
}

# A network with two seconds of work in each iteration, in few launches: 215 GFLOP forwards and as much backwards.
heavy_network() {
    cat >heavy.prototxt <<'END'
name: "heavy"
input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 128 kernel_size: 3 pad: 1 } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 128 kernel_size: 15 pad: 7 } }
END
}

# bats test_tags=alone
@test "Ctrl-C is answered within a second in the midst of a long iteration, and the picture is there" {
    needs_device
    heavy_network
    make png large.png 160 120
    local start pid i
    for seconds in 0.1 0.9; do
        rm -f large_style.jpg
        : >progress # not that of the run before
        env --default-signal=INT "$REVERIE" stylize large.png -s style.png --model heavy.prototxt --content-layers conv2 \
            --style-layers conv1 --scales 1 --iterations 100000 --progress json >said 2>progress 3>&- &
        pid=$!
        for ((i = 0; i < 600; i++)); do
            ! grep -q '"done": 1' progress || break
            sleep 0.1
        done
        sleep $seconds
        start=${EPOCHREALTIME/./}
        kill -s INT $pid
        status=0
        wait $pid || status=$?
        # Half a second is for other work on this machine.
        echo "$((${EPOCHREALTIME/./} - start)) us"
        [ $((${EPOCHREALTIME/./} - start)) -lt 1500000 ]
        [ "$status" -eq 130 ]
        grep -q "interrupted: the picture so far is in large_style.jpg" progress
        [ "$(head -c 2 large_style.jpg | od -An -tx1)" = " ff d8" ]
    done
}

# bats test_tags=alone
@test "Ctrl-C while kernels are compiled ends with 130, too" {
    needs_device
    for delay in 0.1 0.2 0.4; do
        rm -rf cache photo_style.jpg
        mkdir cache
        status=0
        XDG_CACHE_HOME=$PWD/cache POCL_CACHE_DIR=$PWD/cache env --default-signal=INT "$REVERIE" stylize photo.png \
            -s style.png "${quick[@]}" --iterations 100000 2>said 3>&- &
        sleep $delay
        kill -s INT $!
        wait $! || status=$?
        cat said
        [ "$status" -eq 130 ]
        grep -q "^reverie: interrupted" said
        # An unstyled photo is no result.
        [ ! -e photo_style.jpg ] || grep -aq ' done=[1-9]' photo_style.jpg
    done
}

@test "an interrupted run prints the line that goes on, which makes the same file" {
    needs_device
    works stylize photo.png -s style.png "${quick[@]}" --iterations 400 -o "it's whole.png"
    mv "it's whole.png" whole.png
    local line
    env --default-signal=INT "$REVERIE" stylize photo.png -s style.png "${quick[@]}" --iterations 400 \
        -o "it's whole.png" --progress json >said 2>progress 3>&- &
    for ((i = 0; i < 300; i++)); do
        ! grep -q '"done"' progress || break
        sleep 0.1
    done
    kill -s INT $!
    status=0
    wait $! || status=$?
    [ "$status" -eq 130 ]
    grep -aq ' done=[0-9]' "it's whole.png"
    [ -s "it's whole.png.state" ]
    line=$(sed -n 's/^reverie: interrupted: .*; to go on: //p' progress)
    [[ $line == *" --resume" ]]
    run --separate-stderr bash -c "$line"
    [ "$status" -eq 0 ]
    cmp "it's whole.png" whole.png
    [ ! -e "it's whole.png.state" ]
}

@test "SIGKILL at ten moments, resumed each time: the same file" {
    needs_device
    works stylize photo.png -s style.png "${quick[@]}" --scales 2 --iterations 300 -o whole.png
    local kills=0 i
    for ((kills = 0; kills < 10; kills++)); do
        "$REVERIE" stylize photo.png -s style.png "${quick[@]}" --scales 2 --iterations 300 -o part.png --save-every 1 \
            --resume --progress json >said 2>progress 3>&- &
        for ((i = 0; i < 600; i++)); do
            ! grep -q '"done"' progress || break
            sleep 0.02
        done
        sleep "0.0$kills"
        kill -KILL $! 2>/dev/null || break
        wait $! || true
        [ ! -e part.png ]
    done
    echo "$kills kills"
    [ "$kills" -ge 3 ]
    run --separate-stderr "$REVERIE" stylize photo.png -s style.png "${quick[@]}" --scales 2 --iterations 300 \
        -o part.png --resume
    [ "$status" -eq 0 ]
    cmp part.png whole.png
    # Of a write that was cut short nothing but a temporary file is left.
    [ -z "$(find . -name '*.state')" ]
}

@test "a state of another run is refused, a batch that is resumed leaves what is done" {
    works stylize photo.png -s style.png "${quick[@]}" --save-every 1 -o out.png
    "$REVERIE" stylize photo.png -s style.png "${quick[@]}" --iterations 100000 -o out.png --overwrite --save-every 1 \
        2>/dev/null 3>&- &
    for ((i = 0; i < 300; i++)); do
        [ ! -e out.png.state ] || break
        sleep 0.1
    done
    kill -KILL $!
    wait $! || true
    fails 2 "was left by another run" stylize photo.png -s style.png "${quick[@]}" -o out.png --resume
    rm out.png.state
    works stylize photo.png -s style.png "${quick[@]}"
    cp photo_style.jpg before.jpg
    works stylize photo.png second.png -s style.png "${quick[@]}" --overwrite --resume
    [[ $stderr == *"skipped: 'photo_style.jpg' exists"* ]]
    cmp photo_style.jpg before.jpg
    [ -s second_style.jpg ]
    # However few there are: a folder, a share, or one that was made.
    mkdir one
    cp photo.png one
    works stylize one -s style.png "${quick[@]}" -o .
    [[ $stderr == *"skipped: './photo_style.jpg' exists"* ]]
    works stylize photo.png second.png --shard 1/2 -s style.png "${quick[@]}"
    [[ $stderr == *"skipped: 'photo_style.jpg' exists"* ]]
    works stylize photo.png -s style.png "${quick[@]}" --resume
    [[ $stderr == *"skipped: 'photo_style.jpg' exists"* ]]
    fails 2 "'photo_style.jpg' exists" stylize photo.png -s style.png "${quick[@]}"
}

@test "--preview shows the picture on the way, and --time-limit ends it" {
    works stylize photo.png -s style.png "${quick[@]}" --preview seen.png -o out.png
    [ "$(od -An -tu1 -j24 -N2 seen.png)" = "   8   2" ]
    cmp -s seen.png out.png && false
    works stylize photo.png -s style.png "${quick[@]}" --iterations 1000000 --time-limit 2 -o limited.png
    grep -aq 'iterations=1000000 .* done=[0-9]' limited.png
    fails 2 "must end in one of" stylize photo.png -s style.png "${quick[@]}" --preview seen.gif
    fails 2 "is an input" stylize photo.png -s style.png "${quick[@]}" --preview ./photo.png
    # That of an earlier run is replaced, another picture is not.
    works stylize photo.png -s style.png "${quick[@]}" --preview seen.png --dry-run
    fails 2 "'second.png' exists" stylize photo.png -s style.png "${quick[@]}" --preview second.png --dry-run
    fails 2 "is the --preview as well" stylize photo.png -s style.png "${quick[@]}" --preview a.png -o a.png
    fails 2 "is the --preview as well" stylize photo.png -s style.png "${quick[@]}" --preview ./a.png -o a.png
    [ ! -e a.png ]
}

@test "a folder and a list stand for the photos in them, but for styles and results; shards share them" {
    mkdir album
    cp photo.png second.png style.png album/
    cp deep.png album/.hidden.png
    echo text >album/notes.txt
    printf 'album/photo.png\n\nsecond.png\r\n' >list.txt
    works stylize album -s album/style.png "${quick[@]}" -o album --progress json
    [ "$(cd album && echo *)" = "notes.txt photo.png photo_style.jpg second.png second_style.jpg style.png" ]
    [[ $stderr == *'"task": "photo 2 of 2, stylize'* ]]
    works stylize album/ -s album/style.png --dry-run -o album --overwrite
    [ ${#lines[@]} -eq 2 ]
    # Nor are results of another style, whatever they are called now.
    mv album/second_style.jpg album/third.jpg
    works stylize album -s deep.png --dry-run
    [ ${#lines[@]} -eq 3 ] # the style of before is a photo now
    [[ $output != *third.jpg* && $output != *photo_style.jpg* ]]
    mkdir made
    mv album/third.jpg made
    fails 1 "there are only results in the folder 'made'" stylize made -s style.png
    works stylize made/third.jpg -s style.png --dry-run
    works stylize --list list.txt -s style.png --dry-run
    [ "${lines[0]}" = "album/photo.png (48 x 36) -> photo_style.jpg" ]
    [ "${lines[1]}" = "second.png (40 x 40) -> second_style.jpg" ]
    works stylize photo.png second.png alpha.png deep.png -s style.png --dry-run --shard 2/3
    [ "$output" = "second.png (40 x 40) -> second_style.jpg" ]
    works stylize photo.png second.png alpha.png deep.png -s style.png --dry-run --shard 1/3
    [ ${#lines[@]} -eq 2 ]
    works stylize photo.png -s style.png --dry-run --shard 2/2
    [ -z "$output" ]
    for wrong in 0/2 3/2 1 1/2x /; do
        fails 2 "--shard takes I/N" stylize photo.png -s style.png --shard $wrong
    done
    mkdir empty
    fails 1 "there is no photo in the folder 'empty'" stylize empty -s style.png
    fails 1 "cannot read the list 'none.txt'" stylize --list none.txt -s style.png
}

@test "a device that is not there is an error before any output" {
    needs_device
    fails 1 "no device matches 'none such'" stylize photo.png -s style.png --device "none such"
    OCL_ICD_VENDORS=/nonexistent fails 1 "there is no OpenCL device" stylize photo.png -s style.png
    only
}

# compiled: how many files of compiled kernels there are; PoCL leaves an empty one in each run
compiled() { find cache -type f ! -name 'tempfile_*' | wc -l; }

@test "another size of photo compiles nothing" {
    needs_device
    mkdir cache
    export XDG_CACHE_HOME=$PWD/cache POCL_CACHE_DIR=$PWD/cache
    local n
    # Not the photo's own size, at which nothing is resized.
    works stylize photo.png -s style.png -o a.jpg --iterations 2 --size 44
    n=$(compiled)
    [ "$n" -gt 10 ]
    works stylize photo.png -s style.png -o b.jpg --iterations 2 --size 37
    [ "$(compiled)" -eq "$n" ]
    make png larger.png 130 77
    works stylize larger.png -s style.png -o c.jpg --iterations 2 --size 120
    [ "$(compiled)" -eq "$n" ]
}

@test "--mask and masks of styles say where a style goes" {
    make png left.png 24 36 3 8 left
    works stylize photo.png -s style.png "${quick[@]}" --mask left.png -o masked.png
    grep -aq ' style="style.png" mask="left.png" .* masked=1 ' masked.png
    works stylize photo.png -s style.png "${quick[@]}" -o all.png
    run ! cmp -s masked.png all.png
    works stylize photo.png "${quick[@]}" -s style.png:2:mask=left.png -s second.png -o two.png
    grep -aq ' style="style.png" style_mask="left.png" style="second.png" .* style_shares=0.666667,0.333333 .* style_masked=1,0 ' two.png
    works stylize photo.png "${quick[@]}" -s style.png:mask=left.png:2 -s second.png -o other.png
    cmp two.png other.png
    works stylize photo.png -s style.png "${quick[@]}" --mask left.png --feather 9 -o soft.png
    grep -aq ' feather=9' soft.png
    run ! cmp -s soft.png masked.png
    works stylize photo.png -s style.png --size 32 --iterations 2 --mask left.png --estimate
    fails 2 "--feather softens the edges of masks, and there is none" stylize photo.png -s style.png "${quick[@]}" --feather 9 -o none.png
    fails 2 "--feather takes 0 to 10000, not -1" stylize photo.png -s style.png --mask left.png --feather -1
}

@test "that a mask has another size is said once" {
    make png left.png 24 36 3 8 left
    works stylize photo.png second.png -s style.png --mask left.png --model tiny.prototxt \
        --content-layers relu2 --style-layers relu1 --iterations 1 --scales 1
    [ "$(grep -c 'a mask of 24 x 36 pixels is stretched over a photo of 48 x 36' <<<"$stderr")" -eq 1 ]
    ! grep -q '40 x 40' <<<"$stderr"
}

@test "a folder of masks has one for each photo" {
    mkdir masks
    make png masks/photo.png 48 36 3 8 left
    make png masks/second.png 40 40 3 8 black
    run --separate-stderr "$REVERIE" stylize photo.png second.png deep.png -s style.png "${quick[@]}" --mask masks
    no_device || [ "$status" -eq 1 ]
    [[ $stderr == *"masks/second.png: the mask is black all over: a style goes where it is white"* ]]
    [[ $stderr == *"there is no mask for deep.png in the folder 'masks'"* ]]
    no_device || [ -s photo_style.jpg ]
    run --separate-stderr "$REVERIE" stylize photo.png second.png -s style.png:mask=masks "${quick[@]}" --dry-run
    [ "$status" -eq 1 ]
    [[ $stderr == *"masks/second.png: the mask is black all over"* ]]
}

@test "one mask is one by whatever name" {
    make png left.png 48 36 3 8 left
    works stylize photo.png "${quick[@]}" -s style.png:mask=left.png -s second.png:mask=left.png -o one.png
    works stylize photo.png "${quick[@]}" -s style.png:mask=left.png -s second.png:mask=./left.png -o two.png
    cmp one.png two.png
}

@test "a preview lies in no folder of masks" {
    mkdir masks
    make png masks/photo.png 48 36 3 8 left
    make png masks/second.png 40 40 3 8 left
    cp -r masks kept
    for preview in masks/second.png ./masks/new.png; do
        fails 2 "--preview $preview would lie among the masks in 'masks'" \
            stylize photo.png second.png -s style.png "${quick[@]}" --mask masks --preview "$preview"
    done
    diff -r masks kept
    works stylize photo.png -s style.png "${quick[@]}" --mask masks --preview preview.png
    [ -s preview.png ]
}

@test "masks that are none are refused" {
    make png black.png 8 8 3 8 black
    fails 1 "black.png: the mask is black all over" stylize photo.png -s style.png "${quick[@]}" --mask black.png
    fails 1 "black.png: the mask is black all over" stylize photo.png -s style.png:mask=black.png "${quick[@]}"
    fails 1 "none.png" stylize photo.png -s style.png "${quick[@]}" --mask none.png
    fails 1 "none.png" stylize photo.png -s style.png:mask=none.png "${quick[@]}"
    fails 2 "--style style.png:mask= names no mask" stylize photo.png -s style.png:mask= "${quick[@]}"
    fails 2 "the weight after its ':'" stylize photo.png -s style.png:mask=black.png:x "${quick[@]}"
    cp style.png black.png
    fails 2 "'black.png' is an input" stylize photo.png -s style.png "${quick[@]}" --mask black.png -o black.png
    only black.png
}

@test "with the cache switched off nothing is kept" {
    needs_device
    mkdir temporary cache
    run env -u POCL_CACHE_DIR XDG_CACHE_HOME="$PWD/cache" TMPDIR="$PWD/temporary" REVERIE_CACHE=off \
        "$REVERIE" classify tiny.prototxt photo.png --device 0
    [ "$status" -eq 0 ]
    [ "$(find cache -mindepth 1 | wc -l)" -eq 0 ]
    [ "$(find temporary -type f -size +0 | wc -l)" -eq 0 ]
}

@test "a cache that cannot be written does not keep photos from being styled" {
    needs_device
    mkdir home
    touch home/.cache
    run env -u POCL_CACHE_DIR -u XDG_CACHE_HOME HOME="$PWD/home" \
        "$REVERIE" stylize photo.png -s style.png "${quick[@]}"
    [ "$status" -eq 0 ]
    [ -s photo_style.jpg ]
}

@test "options out of range are wrong usage" {
    fails 2 "stylize needs a photo" stylize -s style.png
    fails 2 "stylize needs --style" stylize photo.png
    fails 2 "--size takes 16 to 65535, not 0" stylize photo.png -s style.png --size 0
    for weight in content style tv; do
        fails 2 "--$weight-weight takes 0 to 1000000, not -1" stylize photo.png -s style.png --$weight-weight -1
    done
    fails 2 "--iterations takes 1 to" stylize photo.png -s style.png --iterations 0
    fails 2 "--learning-rate takes" stylize photo.png -s style.png --learning-rate 0
    fails 2 "did you mean 'adam'?" stylize photo.png -s style.png --optimizer adm
    fails 2 "--quality takes 1 to 100" stylize photo.png -s style.png --quality 101
    fails 2 "--content-weight takes a number, not 'nan'" stylize photo.png -s style.png --content-weight nan
    only
}

@test "an unknown layer names the nearest" {
    fails 1 "the nearest is 'relu2'" stylize photo.png -s style.png "${quick[@]}" --content-layers rellu2
    fails 2 "no layers" stylize photo.png -s style.png --model patches --content-layers relu2
    only
}
