#!/bin/sh
# headers.sh ROOT CC [CXX]: compiles each public header alone, as C11 and as C++.
# SPDX-License-Identifier: MIT
set -eu
cd "$1"
flags="-pedantic -Wall -Wextra -Werror -fsyntax-only -Iinclude"
failed=0
for header in include/reverie/*.h; do
    text="#include <reverie/$(basename "$header")>"
    # Twice: the guard holds. A strict C11 without POSIX, as the strictest caller would have it.
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n%s\n' "$text" "$text" | "$2" -std=c11 $flags -x c - || failed=1
    # shellcheck disable=SC2086
    [ -z "${3:-}" ] || printf '%s\n%s\n' "$text" "$text" | "$3" -std=c++11 $flags -x c++ - || failed=1
done
[ -n "${3:-}" ] || echo "there is no C++ compiler: headers were compiled as C only"
exit $failed
