#!/usr/bin/env bash
# A lesson of docs/course.md: runs its commands in a folder of its own, and checks the figures that it gives.
# SPDX-License-Identifier: MIT
#
# course.sh SOURCE REVERIE WORK LESSON
#
# Commands are the indented lines of the lesson; <!-- check: ... --> holds a shell command that must succeed behind them.
# Exit 77 where the data of the lesson is not here: REVERIE_SHARED names the folder that holds it.
set -euo pipefail
source_dir=$(cd "$1" && pwd) program=$2 work=$3 number=$4
shared=${REVERIE_SHARED:-/nonexistent}
tiny=$shared/data/tiny-imagenet-200.tar.gz
squeezenet=$shared/models/squeezenet_v1.0

folder=$work/lesson-$number data=$work/data
rm -rf "$folder"
mkdir -p "$folder/bin" "$data"
lesson=$(awk -v title="## $number. " '/^## /{ on = index($0, title) == 1 } on' "$source_dir/docs/course.md")
[ -n "$lesson" ] || { echo "docs/course.md has no lesson $number"; exit 1; }
commands=$(sed -n 's/^    //p' <<<"$lesson")
checks=$(sed -n 's/^<!-- check: \(.*\) -->$/\1/p' <<<"$lesson")

if [ -z "$checks" ] || [ "$(grep -c '<!-- check:' <<<"$lesson")" -ne "$(wc -l <<<"$checks")" ]; then
    echo "lesson $number: each lesson needs a check, which is a line of its own"
    exit 1
fi

# needs NAME FILE: the lesson uses NAME, and FILE is there for it; or it is skipped.
needs() {
    grep -q "$1" <<<"$commands" || return 1
    [ -e "$2" ] || { echo "skipped: there is no $2"; exit 77; }
}

# The first 200 pictures of two classes, 64 pixels wide.
make_photos() {
    [ ! -d "$data/photos" ] || return 0
    local new=$data/new.$$
    mkdir -p "$new"
    tar -xzf "$tiny" -C "$new" --strip-components=2 --wildcards \
        'tiny-imagenet-200/train/n02123394/*_[0-9].JPEG' 'tiny-imagenet-200/train/n02123394/*_[0-9][0-9].JPEG' \
        'tiny-imagenet-200/train/n02123394/*_1[0-9][0-9].JPEG' 'tiny-imagenet-200/train/n02099601/*_[0-9].JPEG' \
        'tiny-imagenet-200/train/n02099601/*_[0-9][0-9].JPEG' 'tiny-imagenet-200/train/n02099601/*_1[0-9][0-9].JPEG'
    mv "$new/n02123394" "$new/cat"
    mv "$new/n02099601" "$new/dog"
    mv "$new" "$data/photos"
}

if needs 'digits/' "$shared/data/mnist/t10k-images-idx3-ubyte.gz"; then
    ln -s "$shared/data/mnist" "$folder/digits"
fi
if needs 'photos/' "$tiny"; then
    make_photos
    ln -s "$data/photos" "$folder/photos"
fi
if needs 'squeezenet' "$squeezenet/squeezenet_v1.0.caffemodel"; then
    ln -s "$squeezenet/squeezenet_v1.0.caffemodel" "$folder/squeezenet.caffemodel"
    ln -s "$squeezenet/deploy.prototxt" "$folder/squeezenet.prototxt"
fi
ln -s "$program" "$folder/bin/reverie"
ln -s "$source_dir/samples" "$folder/samples"

# What checks may call.
# error FOLDER: the smallest error in validation of a run that learns numbers
error() {
    awk -F, '
        FNR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_error") column = i; next }
        FNR == 2 || $column < least { least = $column }
        END { print least }' "$1/metrics.csv"
}
# best FOLDER: the highest validation accuracy of a run, or of all runs in a folder, in percent
best() {
    local where=$1
    [ ! -f "$1/metrics.csv" ] || where=$1/metrics.csv
    find -H "$where" -name metrics.csv -exec awk -F, '
        FNR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_accuracy") column = i; next }
        $column > most { most = $column }
        END { printf "%.2f\n", 100 * most }' {} +
}
# at_least VALUE LEAST, below VALUE LIMIT
at_least() { echo "$1, at least $2"; awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }
below() { echo "$1, below $2"; awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }

cd "$folder"
PATH=$folder/bin:$PATH
export PATH
start=$SECONDS
bash -euo pipefail -x -c "$commands" </dev/null
echo "took $((SECONDS - start)) s"
while IFS= read -r line; do
    [ -z "$line" ] || eval "$line" || { echo "FAILED: $line"; exit 1; }
done <<<"$checks"
