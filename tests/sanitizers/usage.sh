#!/bin/sh
# usage.sh REVERIE: what is found out before any work leaves nothing behind; a leak would end with another code than 2.
# SPDX-License-Identifier: MIT
reverie=$1
refuses() {
    code=0
    "$reverie" "$@" >/dev/null 2>said.txt || code=$?
    [ "$code" -eq 2 ] && return
    printf '%s ended with %s:\n' "$*" "$code"
    cat said.txt
    exit 1
}
cd "$(mktemp -d)" || exit 1
refuses visualize filters builtin photo.png
refuses visualize heatmap photo.png --method cam
refuses visualize activations
refuses dream photo.png --zoom 2
refuses dream a.png b.png --frames 2
refuses dream a.png --frames 2 --list names.txt
refuses stylize photo.png
rm -r "$PWD"
