#!/usr/bin/env bats
# Networks: their layers, classes of pictures, values of layers.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    make png good.png 40 30
    make png other.png 32 32 3 8 checks
    network tiny.prototxt
    printf 'class %d\n' 0 1 2 3 4 5 6 7 8 9 >labels.txt
}

setup() {
    work_folder
    cp "$BATS_FILE_TMPDIR"/* .
}

@test "models info prints layers, shapes, parameters, multiply-adds and totals" {
    works models info tiny.prototxt
    [[ $output =~ conv1\ +conv\ +1x8x32x32\ +224\ +221,184 ]]
    [[ $output =~ conv2\ +conv\ +1x10x16x16\ +730\ +184,320 ]]
    [[ ${lines[-1]} =~ ^total\ .*954\ +[0-9,]+\ +[0-9.]+\ KB$ ]]
    [[ $stderr == *"drawn at random"* ]]
    works models info tiny.prototxt -q --json
    [[ $output == *'"parameters": 954'* && $output == *'"random": true'* && $output == *'"classes": 10'* ]]
}

@test "models info knows the built-in architectures" {
    works -q models info vgg19
    [[ $output == *relu5_4* ]]
    [[ ${lines[-1]} == *143,667,240* ]]
    works models info patches
    [[ $output == *"no layers"* ]]
}

@test "models info prints the SHA-256 of weights where it is asked for" {
    works -q models convert tiny.prototxt -o tiny.safetensors
    local sum
    sum=$(sha256sum tiny.safetensors)
    works models info tiny.safetensors --hash
    [[ $output == *"SHA-256: ${sum%% *}"* ]]
    works models info tiny.safetensors --hash --json
    [[ $output == *'"sha256": "'"${sum%% *}"'"'* ]]
    fails 2 "has no file of weights" -q models info tiny.prototxt --hash
}

@test "models info builds an architecture for other pictures and classes" {
    works -q models info --arch vgg-s
    [[ ${lines[-1]} =~ ^total\ .*1,814,952\ +220,645,376\ +6098.6\ KB$ ]]
    works -q models info --arch mlp:20 --size 8 --channels 3 --classes 4
    [[ ${lines[-1]} =~ ^total\ .*3,944\ +3,920\ +0.9\ KB$ ]]
    fails 2 "needs a model, or an architecture" models info
    fails 2 "needs a model, or an architecture" models info vgg16 --arch vgg19
    fails 2 "no architecture" models info patches --classes 4
}

@test "models info and train build an architecture from a file of layers" {
    cat >net.yaml <<'END'
input: {channels: 3, size: 8}
classes: 4
layers:
  - block: {name: part, repeat: 2, layers: [conv: {num_output: 3, kernel: 3, pads: 1}, add: {from: [conv1, input]}]}
  - dense: {num_output: classes}
END
    works -q models info --arch net.yaml
    [[ $output =~ part2/add1\ +add\ +1x3x8x8\ +0 ]]
    [[ $output =~ dense1\ +dense\ +1x4\ +772 ]]
    works -q models info net.yaml --classes 7 --size 4
    [[ $output =~ dense1\ +dense\ +1x7\ +343 ]]
    sed -i 's/kernel/kernle/' net.yaml
    fails 1 "net.yaml:4: conv has no 'kernle'; the nearest is 'kernel'" -q models info net.yaml
    fails 1 "none.yaml" -q models info --arch none.yaml
}

@test "models info draws the layers for Graphviz" {
    works -q models info --arch resnet-18 --graphviz net.dot
    [ "$(head -n 1 net.dot)" = 'digraph "resnet-18" {' ]
    [ "$(tr -cd '{' <net.dot | wc -c)" = "$(tr -cd '}' <net.dot | wc -c)" ]
    [ "$(grep -c 'subgraph "cluster_block' net.dot)" -eq 8 ]
    grep -qF '"block1_1/relu1" -> "block1_1/conv2" [label="32x32x32"];' net.dot
    fails 2 "net.dot exists already" -q models info vgg-s --graphviz net.dot
    works -q models info vgg-s --graphviz net.dot --overwrite --json
    [[ $output == *'"graphviz": "net.dot"'*'"bytes": '* || $output == *'"bytes": '*'"graphviz": "net.dot"'* ]]
    fails 2 "no layers to draw" -q models info patches --graphviz none.dot
    command -v dot >/dev/null || skip "dot is not installed: its reading is not tested"
    dot -Tsvg net.dot >net.svg
    grep -q '<svg' net.svg
}

@test "models convert writes a model of its own, in half the size if asked" {
    works -q models convert tiny.prototxt -o tiny.safetensors
    works -q models convert tiny.prototxt -o half.safetensors --half
    works -q models info half.safetensors
    [[ $output == *conv1*1x8x32x32* ]]
    fails 2 "tiny.safetensors" -q models convert tiny.prototxt -o tiny.safetensors
    fails 2 "'tiny.prototxt' would hold a .safetensors" -q models convert tiny.safetensors -o tiny.prototxt --overwrite
    fails 2 "'half.safetensors' is an input" -q models convert half.safetensors -o half.safetensors --overwrite
    fails 2 "'tiny.prototxt' is an input" -q models info tiny.prototxt --graphviz tiny.prototxt --overwrite
    fails 2 "needs a model and a file" models convert tiny.prototxt
    printf 'class %d\tkind %d\n' 0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 >words.tsv
    works -q models convert half.safetensors -o named.safetensors --labels words.tsv --licence "none at all" \
        --provenance "drawn by lot"
    works -q models info named.safetensors
    [[ $output == *"Licence: none at all"*"Made: drawn by lot"* ]]
    works -q models convert named.safetensors -o part.safetensors --features
    works -q models info part.safetensors --json
    [[ $output == *'"licence": "none at all"'* && $output == *'"classes": 0'* && $output != *'"mean"'*'"mean"'* ]]
    fails 1 "no layer 'conv3'" -q models convert named.safetensors -o other.safetensors --until conv3
    needs_device
    works -q classify named.safetensors good.png --top 1
    [[ ${lines[1]} == *" kind "[0-9] ]]
    works -q classify tiny.safetensors good.png --top 1
}

@test "models list prints what can be fetched, with size and licence" {
    works models list
    [[ $output =~ vgg19\ +574\.7\ MB\ +Apache-2\.0 ]]
    works models list --json
    [[ $output == *'"zoo": ['*'"name": "alexnet"'*'"licence": "BSD-3-Clause"'*'"bytes": 243863787'* ]]
}

@test "architectures without weights name the command that fetches them" {
    works models info vgg19
    [[ $stderr == *"drawn at random (seed 0); for trained ones: reverie models fetch vgg19" ]]
    fails 1 "to fetch its 28 MB: reverie models fetch googlenet" models info googlenet
    fails 1 "the nearest is 'vgg19'" models fetch vg19
    fails 2 "needs a name" models fetch
    fails 2 "needs a file" models add
    fails 2 "--name is for one file" models fetch vgg19 --name other
}

@test "models fetch without a network says so in one line" {
    hash=$(printf '%064d' 1)
    printf 'tiny\t%s\t1234\thttp://127.0.0.1:9/tiny.safetensors\n' "$hash" >pins.tsv
    reason="is there a network?"
    [[ $("$REVERIE" --version) == *libcurl* ]] || reason="built without libcurl"
    no_proxy='*' fails 1 "$reason" -q models fetch --pins pins.tsv tiny
    [ ! -e "$XDG_DATA_HOME/reverie/models/tiny" ]
    printf 'tiny\n' >pins.tsv
    fails 1 "pins.tsv:1: something is missing" -q models fetch --pins pins.tsv tiny
}

@test "Ctrl-C keeps what was fetched, and the same command goes on from there" {
    [[ $("$REVERIE" --version) == *libcurl* ]] || skip "built without libcurl"
    perl -MIO::Socket::INET -e 1 || skip "there is no perl to serve a file"
    export XDG_DATA_HOME=$PWD/data no_proxy='*'
    works -q models convert tiny.prototxt -o tiny.safetensors
    perl "$BATS_TEST_DIRNAME/serve.pl" tiny.safetensors >port 3>&- &
    server=$!
    until [ -s port ]; do sleep 0.1; done
    read -r hash _ < <(sha256sum tiny.safetensors)
    printf 'tiny\t%s\t%d\thttp://127.0.0.1:%d/net.safetensors\n' "$hash" "$(wc -c <tiny.safetensors)" \
        "$(cat port)" >pins.tsv
    part=data/reverie/models/tiny/net.safetensors.part
    env --default-signal=INT "$REVERIE" models fetch --pins pins.tsv tiny --progress json 2>said 3>&- &
    pid=$!
    for ((i = 0; i < 300; i++)); do [ ! -s $part ] || break; sleep 0.1; done
    kill -s INT "$pid"
    code=0
    wait "$pid" || code=$?
    cat said
    [ "$code" -eq 130 ]
    grep -q '"task": "tiny, MB".*"fraction": 0.[0-9]*[1-9]' said
    grep -q '^reverie: tiny: 0.0 of 0.0 MB are kept, and the same command goes on from there$' said
    [ -s $part ]
    works models fetch --pins pins.tsv tiny
    kill "$server"
    cmp tiny.safetensors data/reverie/models/tiny/net.safetensors
    [ ! -e $part ]
    works models info tiny
    [[ $output == *conv1*1x8x32x32* && $stderr != *random* ]]
}

@test "SqueezeNet sees a cat by its short name" {
    model=${REVERIE_SHARED:-/nonexistent}/models/squeezenet_v1.0/squeezenet_v1.0.onnx
    [ -f "$model" ] || skip "the model is not here"
    export XDG_DATA_HOME=$PWD/data
    works -q models add "$model" --name squeezenet
    works classify squeezenet "$REVERIE_SHARED/images/chelsea.png" --top 1
    [[ ${lines[1]} =~ \ 28[1-5]\  ]]
}

@test "models add makes a file a model of every command" {
    export XDG_DATA_HOME=$PWD/data
    works -q models convert tiny.prototxt -o some.safetensors
    works models add some.safetensors
    [ "$output" = "some: $PWD/data/reverie/models/some/some.safetensors" ]
    rm some.safetensors
    works models info some
    [[ $output == *conv1*1x8x32x32* ]]
    [[ $stderr != *random* ]]
    works models list --json
    [[ $output == *'"added": true'* ]]
    fails 1 "cannot open none.safetensors" -q models info none.safetensors
    printf '<html>' >page.onnx
    run --separate-stderr "$REVERIE" -q models add page.onnx data/reverie/models/some/some.safetensors
    [ "$status" -eq 1 ]
    [[ $stderr == *"page.onnx is a web page"*"a model 'some' already"*"2 of 2 files failed" ]]
    # A disk that is full leaves all as it was: names that fit the new weights would not fit the old ones.
    mkdir named
    works -q models convert tiny.prototxt -o named/large.safetensors --seed 2
    printf 'one\ntwo\nthree\nfour\nfive\n' >named/labels.txt
    cp -r data/reverie/models/some before
    local name
    for name in some new; do
        run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 2; \"\$REVERIE\" -q models add named/large.safetensors --name $name --overwrite"
        [ "$status" -eq 1 ]
        [[ $stderr == *"cannot write "*"$name.safetensors: "* ]]
    done
    diff -r before data/reverie/models/some
    [ ! -e data/reverie/models/new ]
    works models add data/reverie/models/some/some.safetensors --name half --half --json
    [[ $output == *'"name": "half"'* ]]
    needs_device
    works -q classify half good.png --top 1
}

@test "classify prints the likeliest classes, and JSON with the promised keys" {
    works -q classify tiny.prototxt good.png other.png --top 3
    [ ${#lines[@]} -eq 8 ]
    [[ ${lines[1]} =~ ^\ +[01]\.[0-9]{4}\ +[0-9]\ +class\ [0-9]$ ]]
    works -q classify tiny.prototxt good.png --json
    for key in version device images file predictions index label probability; do
        [[ $output == *"\"$key\": "* ]]
    done
    [ "$(printf '%s\n' "$output" | grep -c '"index"')" -eq 5 ]
    fails 2 "--top takes 1 to" classify tiny.prototxt good.png --top 0
    fails 2 "'tiny.prototxt' is taken for a model" classify tiny.prototxt
}

@test "classify works through folders and lists, into a table too" {
    mkdir photos
    cp good.png photos/a.png
    cp other.png 'photos/b, c.png'
    echo photos >list
    works -q classify tiny.prototxt good.png other.png --top 2 --json
    found=$(printf '%s\n' "$output" | sed -n 's/.*"index": \([0-9]*\),*/\1/p')
    works -q classify tiny.prototxt --list list --top 2 --csv
    [ ${#lines[@]} -eq 5 ]
    [ "${lines[0]}" = file,picture,rank,index,label,probability ]
    [[ ${lines[1]} =~ ^\"photos/a\.png\",0,1,[0-9],\"class\ [0-9]\",[-0-9.e]+$ ]]
    [[ ${lines[4]} =~ ^\"photos/b,\ c\.png\",0,2,[0-9],\"class\ [0-9]\",[-0-9.e]+$ ]]
    [ "$(printf '%s\n' "${lines[@]:1}" | sed 's/"photos[^"]*"/b/' | cut -d, -f4)" = "$found" ]
    table=$output
    works -q classify tiny.prototxt photos --top 2 --csv
    [ "$output" = "$table" ]
    works -q classify tiny.prototxt photos --top 2 --csv --shard 2/2
    [ ${#lines[@]} -eq 3 ]
    run --separate-stderr "$REVERIE" classify tiny.prototxt good.png --csv --json
    [ "$status" -eq 2 ]
    [[ $stderr == *"take one"* ]]
    mkdir empty
    fails 1 "there is no photo in the folder 'empty'" classify tiny.prototxt empty
    fails 2 "classify needs a photo, a folder of them, or --list" classify
}

@test "without a model classify and extract take the one that comes with the program" {
    mkdir data
    works -q models convert tiny.prototxt -o data/vgg-s.safetensors
    export REVERIE_DATA_DIR=$PWD/data
    works -q models list --json
    [[ $output == *"\"builtin_file\": \"$PWD/data/vgg-s.safetensors\""* ]]
    works -q models info builtin
    [[ $output == *conv1*1x8x32x32* ]]
    works -q classify builtin good.png other.png --top 2
    named=$output
    works -q classify good.png other.png --top 2
    [ "$output" = "$named" ]
    works -q extract good.png --layers conv1 -o one.npy
    works -q extract builtin good.png --layers conv1 -o two.npy
    cmp one.npy two.npy
    fails 2 "there are no pictures behind it" classify builtin
    fails 2 "'good' is taken for a model" classify good
    fails 2 "there are no pictures behind it" extract builtin --layers conv1
}

@test "a folder of the name of a model does not hide the model" {
    export XDG_DATA_HOME=$PWD/home
    works -q models convert tiny.prototxt -o some.safetensors
    works -q models add some.safetensors
    mkdir some
    cp other.png some/a.png
    works -q classify some.safetensors good.png
    named=$output
    works -q classify some good.png
    [ "$output" = "$named" ]
    works -q classify some.safetensors some/
    named=$output
    export REVERIE_DATA_DIR=$PWD/data
    mkdir data
    cp some.safetensors data/vgg-s.safetensors
    works -q classify some
    [ "$output" = "$named" ]
    works -q classify some/ good.png
    [[ $output == *some/a.png*good.png* ]]
}

@test "a copy without the built-in network says so, and what helps" {
    mkdir empty
    export REVERIE_DATA_DIR=$PWD/empty
    fails 1 "has no built-in network (name another, or set REVERIE_DATA_DIR" classify good.png
    fails 1 "there is no $PWD/empty/vgg-s.safetensors" extract good.png --layers conv1
    fails 1 "has no built-in network" models info builtin
    works models list
    [[ ${lines[-1]} == "builtin: this copy of Reverie has no built-in network"* ]]
    works models list --json
    [[ $output == *'"builtin_file": null'* ]]
    works -q classify tiny.prototxt good.png --top 1
}

@test "one bad picture of many is named, the others are classified" {
    needs_device
    run --separate-stderr "$REVERIE" -q classify tiny.prototxt good.png none.png other.png --json
    [ "$status" -eq 1 ]
    [[ $stderr == *"none.png"*"1 of 3 files failed"* ]]
    [ "$(printf '%s\n' "$output" | grep -c '"predictions"')" -eq 2 ]
}

@test "extract writes an array, which classify takes as the network's input" {
    works -q extract tiny.prototxt good.png --layers data -o input.npy
    [ "$output" = "input.npy: 1 x 3 x 32 x 32" ]
    [ "$(head -c 6 input.npy | tail -c 5)" = NUMPY ]
    [ "$(wc -c <input.npy)" -eq $((128 + 4 * 3 * 32 * 32)) ]
    works -q classify tiny.prototxt good.png
    photo=$(printf '%s\n' "${lines[@]:1}")
    works -q classify tiny.prototxt input.npy
    [ "$(printf '%s\n' "${lines[@]:1}")" = "$photo" ]
}

@test "extract names several outputs by a folder or a pattern" {
    mkdir values
    works -q extract tiny.prototxt good.png other.png --layers conv1,relu2 -o values
    [ "$(ls values)" = "$(printf '%s\n' good_conv1.npy good_relu2.npy other_conv1.npy other_relu2.npy)" ]
    works -q extract tiny.prototxt good.png other.png --layers prob -o '{stem}.p.npy' --json
    [ -s good.p.npy ] && [ -s other.p.npy ]
    [[ $output == *'"outputs"'*'"layer": "prob"'*'"file": "good.p.npy"'*'"shape"'* ]]
    fails 2 "more than one" extract tiny.prototxt good.png --layers conv1,relu2 -o x.npy
    fails 2 "more than one" extract tiny.prototxt good.png --layers conv1,relu2 -o x.csv
    mkdir more
    cp good.png more
    fails 2 "more than one input" extract tiny.prototxt good.png more/good.png --layers mean -o values
    fails 2 "names 'conv1' twice" extract tiny.prototxt good.png --layers conv1,conv1 -o x.safetensors
    [ ! -e x.npy ]
}

@test "extract writes a row for each picture, and which is whose" {
    mkdir photos
    cp good.png photos/a.png
    cp other.png photos/b.png
    printf '%s\n' "$PWD/good.png" '' photos >list
    works -q extract tiny.prototxt --list list --layers mean -o all.npy --json
    [[ $output == *'"names": "all.files.csv"'* ]]
    [ "$(cat all.files.csv)" = "$(printf '%s\n' row,file "0,$PWD/good.png" 1,photos/a.png 2,photos/b.png)" ]
    [ "$(wc -c <all.npy)" -eq $((128 + 4 * 3 * 10)) ]
    [[ $(head -c 128 all.npy | tr -d '\0') == *"'shape': (3, 10, 1, 1), }"* ]]
    # the first two are the same picture, the third is that of a run of its own
    works -q extract tiny.prototxt other.png --layers mean -o one.npy
    [ ! -e one.files.csv ]
    cmp <(tail -c +129 all.npy | head -c 40) <(tail -c +169 all.npy | head -c 40)
    cmp <(tail -c 40 all.npy) <(tail -c 40 one.npy)
    works -q extract tiny.prototxt photos --layers mean -o share.npy --shard 2/2
    [ "$output" = "share.npy: 1 x 10 x 1 x 1" ]
    cmp <(tail -c 40 share.npy) <(tail -c 40 one.npy)
}

@test "extract pools, into tables that a spreadsheet reads" {
    cp good.png 'a, "b".png'
    works -q extract tiny.prototxt 'a, "b".png' other.png --layers pool1 --pool avg -o avg.csv
    [ "$output" = "avg.csv: 2 x 8" ]
    [ ! -e avg.files.csv ]
    works -q extract tiny.prototxt 'a, "b".png' other.png --layers pool1 --pool max -o max.csv
    works -q extract tiny.prototxt 'a, "b".png' other.png --layers pool1 -o raw.csv
    [ "$(head -n 1 avg.csv)" = file,v0,v1,v2,v3,v4,v5,v6,v7 ]
    [ "$(sed -n 's/,[-0-9.e,]*$//p' raw.csv)" = "$(printf '%s\n' '"a, ""b"".png"' other.png)" ]
    # 8 maps of 16 x 16 in raw.csv; with numbers only, means and maxima can be taken again
    for file in raw avg max; do
        sed -e 1d -e 's/^"a, ""b"".png"/0/' -e 's/^other.png/1/' $file.csv >$file
    done
    awk -F, -v OFS=, '
        FILENAME != "raw" { for (i = 2; i <= NF; i++) found[FILENAME, $1, i - 2] = $i; next }
        NF != 2049 { exit 3 }
        { for (c = 0; c < 8; c++) {
            sum = 0; most = $(2 + c * 256)
            for (i = 0; i < 256; i++) { v = $(2 + c * 256 + i); sum += v; if (v > most) most = v }
            d = sum / 256 - found["avg", $1, c]; e = most - found["max", $1, c]
            if (d * d > 1e-12 * sum * sum / 65536 || e != 0) exit 4
            n++
        } }
        END { if (n != 16) exit 5 }' avg max raw
}

@test "a bad picture of many has no row, and nothing is left where all are bad" {
    needs_device
    echo no picture >bad.png
    run --separate-stderr "$REVERIE" -q extract tiny.prototxt good.png bad.png other.png --layers mean -o x.npy --json
    [ "$status" -eq 1 ]
    [[ $stderr == *bad.png*"1 of 3 files failed" ]]
    [[ $output == *'"failed"'*bad.png* ]]
    [ "$(cat x.files.csv)" = "$(printf '%s\n' row,file 0,good.png 1,other.png)" ]
    [[ $(head -c 128 x.npy | tr -d '\0') == *"(2, 10, 1, 1)"* ]]
    run "$REVERIE" -q extract tiny.prototxt bad.png none.png --layers mean -o y.npy
    [ "$status" -eq 1 ]
    [ ! -e y.npy ] && [ ! -e y.files.csv ]
    [ -z "$(find . -name '.reverie-*')" ]
}

@test "extract goes on where it was killed, to the same bytes" {
    needs_device
    for _ in {1..500}; do printf '%s\n' "$PWD/good.png" "$PWD/other.png"; done >list
    echo no picture >bad.png
    { echo bad.png; cat list; } >more
    run "$REVERIE" -q extract tiny.prototxt --list more --layers conv1,mean --pool avg -o whole.npz
    [ "$status" -eq 1 ]
    "$REVERIE" -q extract tiny.prototxt --list more --layers conv1,mean --pool avg -o x.npz 3>&- &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ ! -e x.npz.state ]; do sleep 0.02; done
    kill -KILL $pid
    wait $pid || true
    [ ! -e x.npz ] && [ ! -e x.files.csv ] && [ -e x.npz.part ]
    fails 2 "go on with it (--resume)" -q extract tiny.prototxt --list more --layers conv1,mean --pool avg -o x.npz
    fails 2 "of another run" -q extract tiny.prototxt --list more --layers conv1,mean --pool max -o x.npz --resume
    # to its end; what could not be read before is told again
    run "$REVERIE" -q extract tiny.prototxt --list more --layers conv1,mean --pool avg -o x.npz --resume --json
    [ "$status" -eq 1 ]
    [[ $output == *'"failed"'*bad.png* ]]
    cmp x.npz whole.npz
    cmp x.files.csv whole.files.csv
    [ "$(find . -name '*.part' -o -name '*.state' -o -name '.reverie-*')" = "" ]
    works extract tiny.prototxt --list more --layers conv1,mean --pool avg -o x.npz --resume
    # a file each: those that are there stay
    works -q extract tiny.prototxt good.png --layers mean -o '{stem}.m.npy'
    works -q extract tiny.prototxt good.png other.png --layers mean -o '{stem}.m.npy' --resume
    [ "$output" = "other.m.npy: 1 x 10 x 1 x 1" ]
}

@test "extract checks its outputs first" {
    echo kept >there.npy
    fails 2 "exists" extract tiny.prototxt good.png --layers prob -o there.npy
    [ "$(cat there.npy)" = kept ]
    works -q extract tiny.prototxt good.png --layers prob -o there.npy --overwrite
    [ "$(cat there.npy)" != kept ]
    fails 2 "is an input" extract tiny.prototxt there.npy --layers prob -o there.npy --overwrite
    fails 2 "written as .npy" extract tiny.prototxt good.png --layers prob -o x.txt
    fails 1 "there is no folder 'none'" extract tiny.prototxt good.png --layers prob -o none/x.npy
    fails 2 "extract needs --layers" extract tiny.prototxt good.png
    fails 1 "the nearest is 'conv1'" -q extract tiny.prototxt good.png --layers cnv1 -o x.npy
}

@test "the same seed draws the same weights" {
    works -q extract tiny.prototxt good.png --layers conv1 -o one.npy
    works -q extract tiny.prototxt good.png --layers conv1 -o two.npy --seed 0
    works -q extract tiny.prototxt good.png --layers conv1 -o three.npy --seed 7
    cmp one.npy two.npy
    run ! cmp -s one.npy three.npy
}

@test "SqueezeNet sees a cat" {
    model=${REVERIE_SHARED:-/nonexistent}/models/squeezenet_v1.0/squeezenet_v1.0.caffemodel
    [ -f "$model" ] || skip "the model is not here"
    works classify "$model" "$REVERIE_SHARED/images/chelsea.png" --top 1
    [[ ${lines[1]} =~ \ 28[1-5]\  ]]
}

@test "an ONNX file is a model, once it is known how pictures are prepared for it" {
    cp "$BATS_TEST_DIRNAME"/../fuzz/seeds/onnx/{network,layers}.onnx .
    works -q models info network.onnx
    [[ $output == *"R,G,B of 0 to 1, minus 0.485 0.456 0.406"* && $output =~ d\ +dense\ +1x2 ]]
    fails 2 "does not show how pictures were prepared for it; say so with --preprocess" models info layers.onnx
    works -q models info layers.onnx --preprocess bytes
    [[ $output == *"R,G,B of 0 to 255, minus 0 0 0"* && $output =~ p\ +conv\ +1x3x7x7 ]]
    fails 2 "the nearest is 'bytes'" models info layers.onnx --preprocess byte
    fails 2 "takes neither others nor other channels" models info network.onnx --channels 1
    works -q models convert network.onnx -o network.safetensors
    works -q models info network.safetensors
    [[ $output =~ d\ +dense\ +1x2 ]]
    needs_device
    works -q classify network.onnx good.png
    onnx=$output
    works -q classify network.safetensors good.png
    [ "$output" = "$onnx" ]
}

@test "other programs' files are refused with what converts them" {
    fails 1 "save_file(torch.load('vgg19.pth', weights_only=True), 'vgg19.safetensors')" models info some/vgg19.pth
    fails 1 "some/a.h5 is a model of Keras; convert it first: python -m tf2onnx.convert --keras a.h5 --output a.onnx" \
        models info some/a.h5
    fails 1 "python -m tf2onnx.convert --keras a.b.keras --output a.b.onnx" models info a.b.keras
    fails 1 "is a graph of TensorFlow; convert it first: python -m tf2onnx.convert --inputs NAME:0 --outputs NAME:0 --graphdef a.pb --output a.onnx" \
        models info a.pb
    fails 1 "yolo.weights is a file of Darknet, numbers without names or shapes; convert it to .onnx, with the .cfg that tells these, and name that" \
        models info yolo.weights
}
