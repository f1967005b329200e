# Keeps what the program prints: cmake -DPROGRAM=reverie -DWHAT=man -DOUT=reverie.1 -P generate.cmake
# SPDX-License-Identifier: MIT
execute_process(COMMAND ${PROGRAM} --generate ${WHAT} OUTPUT_FILE ${OUT}.new COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${OUT}.new ${OUT})
