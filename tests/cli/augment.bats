#!/usr/bin/env bats
# Augmenting a folder from the shell.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # stderr is set by run
load helper.bash

setup() {
    work_folder
    mkdir -p photos/cats photos/dogs
    make png photos/cats/a.png 24 16
    make png photos/dogs/b.png 16 24 3 8 checks
}

@test "copies of each picture are written, and the same command finds them done" {
    works augment photos -o more --copies 2
    [[ $stderr == *"more: 4 of 4 copies written in "* ]]
    [ -s more/cats/a__aug1.jpg ] && [ -s more/dogs/b__aug0.jpg ]
    [ "$(wc -l <more/manifest.jsonl)" -eq 5 ]
    works augment photos -o more --copies 2
    [[ $stderr == *"0 of 4 copies written"*", 4 were there" ]]
    # Another folder of the same names has other pictures.
    cp -r photos others
    fails 2 "is of a run with other pictures" augment others -o more --copies 2
    cp photos/dogs/b.png "photos/dogs/$(printf '\377').png"
    run --separate-stderr "$REVERIE" augment photos -o more --copies 2
    [ "$status" -eq 1 ]
    [[ $stderr == *"the name is not UTF-8, which the manifest needs"*"0 of 6 copies written"*", 4 were there"* ]]
}

@test "--json tells what was written and what was skipped" {
    echo nothing >photos/cats/bad.jpg
    run --separate-stderr "$REVERIE" augment photos -o more --total 5 --json
    ! no_device || needs_device
    [ "$status" -eq 1 ]
    [[ $output == *'"written": '* && $output == *'"images_per_second": '* ]]
    [[ $output == *'"file": "cats/bad.jpg"'* ]]
}

@test "a killed run goes on to the same files" {
    needs_device
    make png photos/dogs/c.png 64 48
    works augment photos -o whole --copies 500
    "$REVERIE" -q augment photos -o more --copies 500 3>&- &
    local pid=$! i status=0
    for ((i = 0; i < 3000; i++)); do
        ! compgen -G 'more/*/*.jpg' >/dev/null || break
        sleep 0.01
    done
    kill -KILL $pid || true
    wait $pid || status=$?
    [ "$status" -eq 137 ] || skip "it was done before it could be killed"
    works augment photos -o more --copies 500
    [[ $stderr == *" of 1,500 copies written in "*" were there" && $stderr != *" 0 of 1,500 "* ]]
    diff -r whole more
}

@test "a sheet shows what a recipe does" {
    works augment photos --preview sheet.png --recipe light
    [ "$(head -c 4 sheet.png | tail -c 3)" = PNG ]
    fails 2 "'sheet.png' exists" augment photos --preview sheet.png
}

@test "what is wrong is said in one line" {
    fails 2 "augment needs -o FOLDER" augment photos
    fails 2 "lies in photos" augment photos -o photos/more
    fails 1 "cannot open folder nosuch" augment nosuch -o more
    fails 1 "there is no recipe 'strong'" augment photos -o more --recipe strong
    printf 'transforms:\n  - rotate: 3\n' >r.yaml
    fails 1 "r.yaml:2: there is no transform 'rotate'" augment photos -o more --recipe r.yaml
    works augment photos -o none --copies 7 --dry-run
    [[ $stderr == *"14 copies of 2 pictures would be in none"* ]]
    [ ! -e none ]
}
