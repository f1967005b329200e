#!/usr/bin/env bats
# Options, help and exit codes: nothing here opens a device.
# SPDX-License-Identifier: MIT
load helper.bash

@test "--help lists the commands and the options of all" {
    works --help
    [[ $output == "Usage: reverie "* ]]
    for word in devices models stylize classify extract bench tune train evaluate --device --threads --winograd --memory --seed --json --progress --quiet \
                --verbose --version; do
        [[ $output == *" $word "* ]]
    done
    [[ $output != *self-test* ]]
    [ -z "$stderr" ]
}

@test "no line of a help text is wider than 80 columns" {
    for command in '' devices models stylize classify extract bench tune train evaluate; do
        # shellcheck disable=SC2086
        works $command --help
        [ "$(printf '%s\n' "$output" | awk 'length > 80' | wc -l)" -eq 0 ]
    done
}

@test "--version says the version and the optional features" {
    works --version
    [[ ${lines[0]} =~ ^reverie\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [[ ${lines[1]} == "Optional features: "* ]]
    works --version --json
    [[ $output == *'"version": "'*'"device": null'* ]]
}

@test "--memory takes bytes with a decimal or binary prefix" {
    for bytes in 600M 2G 1.5G 512Mi 2GiB 700000000 900000kB; do
        works --memory $bytes --help
    done
    for bytes in x 12X 1Mib 3G5 -600M; do
        fails 2 "--memory takes" --memory $bytes devices
    done
    fails 2 "--memory takes at least 1M, not 600" --memory 600 devices
}

@test "no command is wrong usage" {
    fails 2 "name a command"
}

@test "an unknown command names the nearest" {
    fails 2 "did you mean 'models'?" modles
}

@test "a photo in place of a command says which command is meant" {
    make png photo.png 4 4
    fails 2 "to style it: reverie stylize" photo.png
}

@test "an unknown option names the nearest, before and behind the command" {
    fails 2 "there is no option '--jsno'; did you mean --json?" --jsno models list
    fails 2 "there is no option '--jsno'; did you mean --json?" models list --jsno
    fails 2 "there is no option '--grahp'; did you mean --graph?" models info vgg16 --grahp=x
    fails 2 "there is no option '-x'" models list -x
}

@test "an option of a command before its name says where it belongs" {
    fails 2 "reverie models --graph" --graph x models info vgg16
    fails 2 "reverie extract --layers" --layers x
}

@test "global options are taken before and behind the command" {
    works --json models list
    [[ $output == "{"* ]]
    works models list --json
    [[ $output == "{"* ]]
}

@test "values are checked where they are given" {
    fails 2 "--seed takes a whole number, not '1.5'" --seed 1.5 models list
    fails 2 "--seed takes a whole number, not 'x'" --seed=x models list
    fails 2 "--seed takes 0 to 4294967295, not -1" --seed -1 models list
    fails 2 "--threads takes 1 to 4096, not 0" --threads 0 models list
    fails 2 "--threads needs a value" models list --threads
    fails 2 "--winograd takes auto|f2|f4|off, not 'f3'" --winograd f3 models list
    fails 2 "--device needs a value" models list --device ''
    fails 2 "--json takes no value" models list --json=yes
    fails 2 "did you mean 'json'?" models list --progress jsn
    fails 2 "exclude each other" models list -q -v
}

@test "models wants list or info, and a model" {
    fails 2 "models needs 'list', 'info', 'fetch', 'add' or 'convert'" models
    fails 2 "did you mean 'info'?" models inof
    fails 2 "models info needs a model" models info
    fails 2 "models list takes no model" models list vgg19
    fails 2 "models info has no use for 'c'" models info a c
}

@test "models list names what works without a file" {
    works models list
    [[ $output == *patches* ]]
    [[ $output == *squeezenet* ]]
}

@test "a full standard output is a failure" {
    [ -c /dev/full ] || skip "there is no /dev/full"
    run bash -c '"$REVERIE" models list 2>&1 >/dev/full'
    [ "$status" -eq 1 ]
    [ "$output" = "reverie: cannot write to the standard output" ]
}

# fails_in_json CODE TEXT ARGUMENT...: one object on stdout holds the error that is said on stderr
fails_in_json() {
    local code=$1 text=$2
    shift 2
    run --separate-stderr "$REVERIE" "$@"
    printf '%s\n' "exit code $status" "stdout: $output" "stderr: $stderr"
    [ "$status" -eq "$code" ]
    [ "$(printf '%s\n' "$output" | grep -c '^{$')" -eq 1 ]
    [[ $output == *'"version": "'*'"device": null'*'"error": "'*"$text"* ]]
    [[ $stderr == "reverie: "*"$text"* && $stderr != *$'\n'* ]]
}

@test "with --json a run that fails prints one object with the error" {
    make png photo.png 4 4
    fails_in_json 2 "name a command" --json
    fails_in_json 2 "there is no option '--jsno'" models list --jsno --json
    fails_in_json 2 "did you mean 'models'?" modles --json
    fails_in_json 1 "vgg18" models info vgg18 --json
    fails_in_json 2 "stylize needs --style" stylize photo.png --json
    fails_in_json 1 "none.png" stylize photo.png -s none.png --json
    fails_in_json 1 "none.png" stylize none.png -s photo.png --json
    fails_in_json 1 "a?b.png" stylize $'a\nb.png' -s photo.png --json
    OCL_ICD_VENDORS=/nonexistent fails_in_json 1 "there is no OpenCL device" bench peak --json
    OCL_ICD_VENDORS=/nonexistent fails_in_json 1 "there is no OpenCL device" devices --json
    [ "$(printf '%s\n' "$output" | grep -c '"devices": \[\]')" -eq 1 ]
}

@test "a closed standard output is no place for a file" {
    run bash -c '"$REVERIE" models list 2>&1 >&-'
    [ "$status" -eq 1 ]
    [ "$output" = "reverie: cannot write to the standard output" ]
    run bash -c '"$REVERIE" models list 2>&- <&-'
    [ "$status" -eq 0 ]
    [[ $output == *patches* ]]
}

@test "the man page holds every option and no hidden one" {
    works --generate man
    [[ $output == ".TH REVERIE 1 "* ]]
    for option in device graph 'style\-weight' 'dry\-run' layers top arch; do
        [[ $output == *"\\-\\-$option\\fR"* ]]
    done
    [[ $output != *"self\\-test"* ]]
    # roff takes no line of the text for a request
    [ "$(printf '%s\n' "$output" | grep '^[.]' | grep -cvE '^\.(TH|SH|SS|TP|PP|B|nf|fi)( |$)')" -eq 0 ]
    fails 2 "--generate takes man or completion" --generate pdf
}

# complete WORD...: what the completion offers for the last word
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _reverie
    echo "${COMPREPLY[*]}"
}

@test "the completion knows commands, options and values" {
    "$REVERIE" --generate completion >reverie.bash
    # shellcheck disable=SC1091
    . ./reverie.bash
    [ "$(complete_words reverie mod)" = models ]
    [ "$(complete_words reverie --device cpu mod)" = models ]
    [ "$(complete_words reverie models '')" = "list info fetch add convert" ]
    [ "$(complete_words reverie models --gr)" = "--graph --graphviz" ]
    [ "$(complete_words reverie --progress '')" = "auto none json" ]
    [ "$(complete_words reverie --seed '')" = "" ]
    [ "$(complete_words reverie stylize --optimizer '')" = "lbfgs adam" ]
    [ "$(complete_words reverie stylize --model vgg)" = "vgg-s vgg16 vgg19" ]
    [ "$(complete_words reverie bench '')" = "peak conv error gemm elementwise stylize infer train augment all" ]
    touch "a file.prototxt"
    [ "$(complete_words reverie models info 'a f')" = "a file.prototxt" ]
}
