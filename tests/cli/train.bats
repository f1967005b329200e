#!/usr/bin/env bats
# Training from the shell: what it prints and writes, going on after a kill, evaluating and classifying with the result.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # output and stderr are set by run
load helper.bash

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    local class i
    for class in checks waves; do
        mkdir -p "set/$class"
        for i in 0 1 2 3 4 5 6 7 8 9; do
            make png "set/$class/$i.png" $((14 + i)) 16 3 8 "$class"
        done
    done
}

setup() {
    work_folder
    cp -r "$BATS_FILE_TMPDIR/set" .
}

train=(train set --arch mlp:8 --size 8 --batch 4 --epochs 3 --learning-rate 0.05)

@test "train prints a line for each epoch and writes a run" {
    works -q "${train[@]}" -o run
    [[ ${lines[0]} == "epoch "*"images/s     left" ]]
    [[ ${lines[3]} == "    3 "*" 0:00"* ]]
    [[ $output == *"4 pictures: 100.00 % right, 100.00 % among the first 5"* ]]
    for file in config.json metrics.csv last.safetensors best.safetensors confusion.csv confusion.png; do
        [ -s "run/$file" ]
    done
    [ "$(wc -l <run/metrics.csv)" -eq 4 ]
    [[ $(head -n 1 run/confusion.csv) == 'actual\predicted,"checks","waves"' ]]
}

@test "train --diagnose tells how each layer learns" {
    works -q "${train[@]}" -o plain
    works -q "${train[@]}" -o run --diagnose
    cmp run/last.safetensors plain/last.safetensors
    [[ ${lines[2]} == "layer "*"gradient  update/weight  dead units" ]]
    [[ ${lines[3]} == "hidden1 "*" %" && ${lines[4]} == "outputs "*" -" ]]
    [ "$(wc -l <run/layers.csv)" -eq 7 ]
    [[ $(sed -n 2p run/layers.csv) == 1,hidden1,*,8,* ]]
    works -q "${train[@]}" -o more --diagnose --json
    [[ $output == *'"layers": '*'"gradient": '*'"dead": '* ]]
    works -q visualize training run
    [ "$(head -c 24 run/curves.png | tail -c 2 | od -An -tu1 | xargs)" = "7 128" ] # 1920 rows
    works -q "${train[@]}" -o run --overwrite --max-steps 1
    [ ! -e run/layers.csv ] && [ ! -e run/best.safetensors ]
    [ "$(ls run/events.out.* | wc -l)" -eq 1 ]
}

@test "train --sweep tries each combination, skips what is done, and names the best" {
    sweep=(train set --size 8 --batch 4 --epochs 2 --arch mlp:4 -o sweep)
    works "${sweep[@]}" --sweep 'lr=0.05,1e-6 hidden=4,8-4' --progress none
    [[ ${lines[0]} == *lr*hidden*epoch*loss*"val right %  state" ]]
    [ "${#lines[@]}" -eq 6 ]
    [[ ${lines[5]} == "best: lr="*", in sweep/lr="*"/best.safetensors" ]]
    [[ $stderr == *"4 of 4: lr=1e-6 hidden=8-4"* ]]
    [[ $(<sweep/lr=0.05_hidden=8-4/config.json) == *'"arch": "mlp:8,4"'* ]]
    # The table is sorted by what validation says.
    mapfile -t right < <(sed -n '2,5p' <<<"$output" | awk '{print $(NF-1)}')
    [ "$(printf '%s\n' "${right[@]}" | sort -gr)" = "$(printf '%s\n' "${right[@]}")" ]
    local table=$output
    fails 2 "holds a run already" -q "${sweep[@]}" --sweep 'lr=0.05,1e-6 hidden=4,8-4'
    # One that is done is not touched, one that is not is trained.
    rm -r sweep/lr=1e-6_hidden=4
    touch -d 2001-01-01 sweep/*/*.safetensors
    works -q "${sweep[@]}" --sweep 'lr=0.05,1e-6 hidden=4,8-4' --resume auto
    [ "$output" = "$table" ]
    [ "$(find sweep -name '*.safetensors' -newermt 2002-01-01 | wc -l)" -eq 2 ]
    works -q "${sweep[@]}" --sweep 'lr=0.05,1e6 seed=1' --json --overwrite
    [[ $output == *'"sweep": '*'"diverged"'* && $output == *'"best": "sweep/lr=0.05_seed=1"'* ]]
}

@test "train --sweep says what is wrong before it trains" {
    sweep=(train set --arch mlp:4 -o sweep)
    fails 2 "'lr=0.1,0.01 hidden=100,300', not 'lr'" "${sweep[@]}" --sweep lr
    fails 2 "did you mean --learning-rate" "${sweep[@]}" --sweep 'learning-rat=1'
    fails 2 "epochs takes a whole number, not 'x'" "${sweep[@]}" --sweep 'epochs=1,x'
    fails 2 "--output is the same for all" "${sweep[@]}" --sweep 'output=a,b'
    fails 2 "lr has no values" "${sweep[@]}" --sweep 'lr='
    fails 2 "two trainings for the folder sweep/init=a-b" "${sweep[@]}" --sweep 'init=a-b,c,a/b'
    fails 2 "train needs --arch NAME" train set -o sweep --sweep 'lr=1'
    [ ! -e sweep ]
}

@test "train --json has the figures of each epoch and of the best weights" {
    works -q "${train[@]}" -o run --json
    for key in epochs val_accuracy learning_rate images_per_second best evaluation top1 f1 finished version device; do
        [[ $output == *"\"$key\": "* ]]
    done
    fails 2 "holds a run already" "${train[@]}" -o run
}

@test "a run that was killed goes on to the same bytes" {
    needs_device
    works -q "${train[@]}" -o whole
    works "${train[@]}" -o run --max-steps 5 --checkpoint-steps 1 --progress none
    [[ $stderr == *"stopped at --max-steps 5; to go on: --resume auto, and more steps or none"* ]]
    works "${train[@]}" -o run --resume auto --time-limit 0.001 --progress none
    [[ $stderr == *"stopped at --time-limit 0.001; to go on for as long again: the same command with --resume auto"* ]]
    mv set/checks set/zebra
    fails 2 "run/last.safetensors was trained on other contents of set" \
        -q "${train[@]}" -o run --resume auto
    mv set/zebra set/checks
    printf 'transforms:\n  - horizontal_flip: {p: 0.5}\n' >r.yaml
    works -q "${train[@]}" -o flipped --recipe r.yaml --max-steps 5
    printf 'transforms:\n  - vertical_flip: {p: 0.5}\n' >r.yaml
    fails 2 "flipped/last.safetensors was trained on other contents of r.yaml" \
        -q "${train[@]}" -o flipped --recipe r.yaml --resume auto
    # From here on it is killed, again and again, wherever it is.
    local i
    for ((i = 0; i < 5; i++)); do
        timeout -s KILL "0.$((2 + i))" "$REVERIE" -q "${train[@]}" -o run --resume auto --checkpoint-steps 1 || true
    done
    works -q "${train[@]}" -o run --resume auto
    cmp run/last.safetensors whole/last.safetensors
    cmp run/best.safetensors whole/best.safetensors
}

@test "the best weights evaluate, classify and list their layers" {
    works -q "${train[@]}" -o run
    works -q evaluate run/best.safetensors set --json
    for key in top1 top5 loss count classes precision recall f1; do
        [[ $output == *"\"$key\": "* ]]
    done
    [[ $output == *'"count": 20'* ]]
    mv set/checks/3.png . && printf broken >set/checks/3.png
    run --separate-stderr "$REVERIE" -q evaluate run/best.safetensors set --json
    [[ $status -eq 1 && $stderr == *"1 picture could not be read" ]]
    [[ $output == *'"count": 19'* && $output == *'"unreadable": 1'* ]]
    mv 3.png set/checks/3.png
    works -q evaluate run/best.safetensors set --validation 0.2 --confusion c.csv
    [[ $output == *"4 pictures: "* ]]
    cmp c.csv run/confusion.csv
    works -q evaluate run/best.safetensors set --validation 0.2 --confusion c.png --top 2
    [[ $output == *"100.00 % among the first 2"* ]]
    cmp c.png run/confusion.png
    works -q classify run/best.safetensors set/checks/3.png set/waves/3.png --top 1
    [[ ${lines[1]} == *checks && ${lines[3]} == *waves ]]
    works -q models info run/best.safetensors
    [[ $output == *hidden1*dense* ]]
    # With names for people, classes of a data set are still found by their own.
    printf '%s\t%s\n' waves 'rolling waves' checks 'chess boards' >words.tsv
    works -q models convert run/best.safetensors -o named.safetensors --labels words.tsv
    works -q evaluate named.safetensors set
    [[ $output == *"20 pictures: "* && $output == *"rolling waves"* ]]
    # And training goes on with them, on larger pictures where the layers allow it.
    fails 1 "hidden1.weight" -q train set --model named.safetensors --size 10 -o larger
    works -q train set --model named.safetensors --batch 4 --epochs 1 -o more
    works -q classify more/last.safetensors set/checks/3.png set/waves/3.png --top 1
    [[ ${lines[1]} == *"chess boards" && ${lines[3]} == *"rolling waves" ]]
}

@test "numbers and several labels are learned from lists, measured and told" {
    local i
    for i in 0 1 2 3 4 5 6 7 8 9; do
        echo "set/checks/$i.png,$((100 + i))"
        echo "set/waves/$i.png,$((200 + i))"
    done >values.csv
    list=(--arch mlp:8 --size 8 --batch 4 --epochs 3 --optimizer adam --learning-rate 0.02)
    works -q train values.csv "${list[@]}" --loss mse -o values
    [[ ${lines[0]} == "epoch    loss  val loss   val error  learning rate  images/s     left" ]]
    [[ $output == *"quantity"*"RMSE"*"MAE"*"R2"*"value"*"4 pictures, loss"* ]]
    [ ! -e values/confusion.csv ]
    works -q evaluate values/best.safetensors values.csv --json
    for key in values rmse mae r2 loss; do
        [[ $output == *"\"$key\": "* ]]
    done
    works -q classify values/best.safetensors set/checks/3.png --json
    [[ $output == *'"label": "value"'*'"value": '* ]]
    works -q visualize training values
    works -q train values.csv "${list[@]}" --loss mse -o errors --sweep lr=0.02,1e-6
    [[ ${lines[0]} == *"val loss"*"val error  state" ]]
    [[ ${lines[1]} == *0.02*[0-9]"  done" && ${lines[2]} == *1e-6*[0-9]"  done" ]]
    fails 2 "a confusion matrix is of a network for classes" evaluate -q values/best.safetensors values.csv --confusion c.png
    sed 's/,1/,small;old/; s/,2.*/,large/' values.csv >labels.csv
    works -q train labels.csv "${list[@]}" --loss bce -o labels
    [[ $output == *"small "*"4 pictures: all labels right of "* ]]
    works -q evaluate labels/best.safetensors labels.csv --json
    [[ $output == *'"labels": '*'"f1": '*'"exact": '* ]]
    works -q classify labels/best.safetensors set/checks/3.png
    [[ $output == *large* && $output == *small* ]]
    fails 2 "only a .csv list tells numbers" -q train set "${list[@]}" --loss mse -o no
    fails 2 "there is no loss 'mae'" -q train values.csv "${list[@]}" --loss mae -o no
    fails 2 "only a .csv list tells several labels" -q evaluate labels/best.safetensors set
}

@test "a head learns first, then more of the network" {
    works -q "${train[@]}" -o base
    works -q train set --model base/best.safetensors --head linear --unfreeze-from hidden1 --unfreeze-epochs 2 \
        --batch 4 --epochs 1 -o run
    [[ ${lines[0]} == "first phase: "* && ${lines[3]} == "second phase: "* && ${lines[6]} == "    2 "* ]]
    [[ $output == *"4 pictures: "* && -s run/head/best.safetensors && -s run/best.safetensors ]]
    works -q train set --model base/best.safetensors --head linear --unfreeze-from hidden1 --unfreeze-epochs 2 \
        --batch 4 --epochs 1 -o run --resume auto --json
    [[ $output == *'"finished": true'* ]]
    # Stopped in the first phase of two epochs, and again before there is a better one: the run has no best yet.
    two=(train set --model base/best.safetensors --head linear --unfreeze-from hidden1 --batch 4 --epochs 2 --max-steps 5)
    works -q "${two[@]}" -o stopped
    works -q "${two[@]}" -o stopped --resume auto
    [ ! -e stopped/best.safetensors ]
    works -q "${two[@]}" -o sweep --sweep lr=0.05
    [ -s "${lines[-1]#*, in }" ]
}

@test "--find-rate prints losses, and draws them" {
    works -q train set --arch mlp:8 --size 8 --batch 4 --find-rate -o rates.png
    [[ ${lines[0]} == "learning rate  mean loss" && $output == *"falls most steeply"* ]]
    [ "$(head -c 4 rates.png | tail -c 3)" = PNG ]
    fails 2 "--find-rate draws a plot into -o FILE.png, not run" train set --arch mlp:8 --find-rate -o run
}

@test "train and evaluate refuse what they cannot do" {
    fails 2 "train needs a folder for the run" train set --arch mlp
    fails 2 "train needs --arch NAME, or --model FILE" train set -o run
    fails 2 "--learning-rate takes 1e-12 to 1000000, not 0" train set --arch mlp -o run --learning-rate 0
    needs_device
    run --separate-stderr "$REVERIE" -q train nowhere --arch mlp -o run
    [[ $status -eq 1 && $stderr == *nowhere* ]]
    run --separate-stderr "$REVERIE" -q train set --arch mlp -o run --optimizer adm
    [[ $status -eq 2 && $stderr == *"'adam'"* ]]
    printf broken >set/checks/3.png
    run --separate-stderr "$REVERIE" "${train[@]}" -o run --progress none
    [[ $status -eq 0 && $stderr == *"left out as they cannot be read: 1 picture"* ]]
    [ "$(grep -c "left out: .*3.png" <<<"$stderr")" -eq 1 ]
    run --separate-stderr "$REVERIE" -q "${train[@]}" -o strict --strict
    [[ $status -eq 1 && $stderr == *"3.png"* ]]
}

@test "visualize training draws the curves of a run" {
    works -q "${train[@]}" -o run
    works visualize training run
    [ "$(head -c 4 run/curves.png | tail -c 3)" = PNG ]
    works -q visualize training run # again: it is the run's own
    works visualize training run -o mine.png
    fails 2 "mine.png exists already" visualize training run -o mine.png
    head -n 1 run/metrics.csv >short.csv && mkdir fresh && mv short.csv fresh/metrics.csv
    fails 2 "the first epoch is not over" visualize training fresh
    printf 'epoch,loss\n' >fresh/metrics.csv
    fails 1 "metrics.csv:1: there is no column 'accuracy'" visualize training fresh
    fails 1 "cannot open nosuch/metrics.csv" visualize training nosuch
}
