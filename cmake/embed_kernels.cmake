# Turns OpenCL C files into one C file: a byte array for each and the table of src/device/embedded.h.
# SPDX-License-Identifier: MIT
#
# cmake -DROOT=cl -DOUT=embedded_kernels.c -DFILES="a.cl|b.clh" -P embed_kernels.cmake
# FILES is separated by "|", paths relative to ROOT, which become the names in the table.
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(rows "")
set(i 0)
foreach(name IN LISTS files)
    file(READ "${ROOT}/${name}" hex HEX)
    # Sixteen bytes a line, then each byte as a C constant; a closing zero makes it a string too.
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char file_${i}[] = {\n${bytes}0x00};\n")
    string(APPEND rows "    {\"${name}\", file_${i}, sizeof file_${i} - 1},\n")
    math(EXPR i "${i} + 1")
endforeach()
file(WRITE "${OUT}.new" "/* The OpenCL C sources of cl/ as bytes; made by cmake/embed_kernels.cmake. */
/* SPDX-License-Identifier: MIT */
#include \"device/embedded.h\"

${arrays}
const rv_embedded_file rv_embedded_files[] = {
${rows}};
const size_t rv_embedded_files_count = sizeof rv_embedded_files / sizeof rv_embedded_files[0];
")
file(RENAME "${OUT}.new" "${OUT}")
