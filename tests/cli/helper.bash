# What the tests of the command line share. REVERIE: the path of the program, else that of the release build.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # status, output and stderr are set by run

: "${REVERIE:=$BATS_TEST_DIRNAME/../../build/release/reverie}"
export REVERIE
bats_require_minimum_version 1.5.0
# shellcheck source=tests/cli/png.bash
. "$BATS_TEST_DIRNAME/png.bash"

# A folder for each test, and the shared pictures of its file in $BATS_FILE_TMPDIR.
setup() { cd "$BATS_TEST_TMPDIR" || return; }

# fails CODE TEXT ARGUMENT...: the program ends with the code and says one line with the text, nothing else.
fails() {
    local code=$1 text=$2
    shift 2
    run --separate-stderr "$REVERIE" "$@"
    printf '%s\n' "exit code $status" "stdout: $output" "stderr: $stderr"
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    [[ $stderr == "reverie: "*"$text"* ]]
    [[ $stderr != *$'\n'* ]]
}

# works ARGUMENT...: the program ends well; its lines are in `output` and `stderr`.
works() {
    run --separate-stderr "$REVERIE" "$@"
    printf '%s\n' "exit code $status" "stdout: $output" "stderr: $stderr"
    [ "$status" -eq 0 ]
}
