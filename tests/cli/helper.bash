# What the tests of the command line share. REVERIE: the path of the program, else that of the release build.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # status, output and stderr are set by run

: "${REVERIE:=$BATS_TEST_DIRNAME/../../build/release/reverie}"
export REVERIE
bats_require_minimum_version 1.8.0
# The tag `alone` is of tests that measure how soon something happens: ./check runs them beside nothing else.

# make png FILE WIDTH HEIGHT ...: a file from make.bash; apart from bats, which would trace each of its many steps
make() { bash "$BATS_TEST_DIRNAME/make.bash" "$@"; }

# An empty folder for each test.
work_folder() {
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return
}

setup() { work_folder; }

# Skips a test that does not get far without a device.
needs_device() { [ -z "${REVERIE_NO_DEVICE:-}" ] || skip "there is no OpenCL device"; }

# no_device: the program said that there is no device, which is true
no_device() { [[ -n ${REVERIE_NO_DEVICE:-} && $stderr == *"there is no OpenCL device"* ]]; }

# fails CODE TEXT ARGUMENT...: the program ends with the code and says one line with the text, nothing else.
fails() {
    local code=$1 text=$2
    shift 2
    run --separate-stderr "$REVERIE" "$@"
    printf '%s\n' "exit code $status" "stdout: $output" "stderr: $stderr"
    [[ $text == *"no OpenCL device"* ]] || ! no_device || needs_device
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    [[ $stderr == "reverie: "*"$text"* ]]
    [[ $stderr != *$'\n'* ]]
}

# works ARGUMENT...: the program ends well; its lines are in `output` and `stderr`.
works() {
    run --separate-stderr "$REVERIE" "$@"
    printf '%s\n' "exit code $status" "stdout: $output" "stderr: $stderr"
    ! no_device || needs_device
    [ "$status" -eq 0 ]
}

# network FILE: a small network, whose weights are drawn at random
network() {
    cat >"$1" <<'END'
name: "tiny"
input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 10 kernel_size: 3 pad: 1 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "mean" type: "Pooling" bottom: "conv2" top: "mean" pooling_param { pool: AVE global_pooling: true } }
layer { name: "prob" type: "Softmax" bottom: "mean" top: "prob" }
END
}

# the network whose weights `make dots` writes
dots_graph() {
    cat >"$1" <<'END'
name: "dots"
input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "dots" type: "Convolution" bottom: "data" top: "dots"
  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
END
}
