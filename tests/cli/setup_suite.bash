# What is found out once for all tests of the command line.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash

# REVERIE_NO_DEVICE: not empty where there is no OpenCL device at all, and none is named by REVERIE_DEVICE
setup_suite() {
    local program=${REVERIE:-$BATS_TEST_DIRNAME/../../build/release/reverie}
    REVERIE_NO_DEVICE=
    if [ -z "${REVERIE_DEVICE:-}" ] && "$program" devices 2>&1 | grep -q 'there is no OpenCL device'; then
        REVERIE_NO_DEVICE=yes
    fi
    # Not the models of whoever runs the tests.
    export REVERIE_NO_DEVICE XDG_DATA_HOME=$BATS_SUITE_TMPDIR/data
}
