# What `cmake --install` puts where: program, libraries, headers, pkg-config file, data, man page, completion.
# SPDX-License-Identifier: MIT
install(TARGETS reverie_shared reverie_static)
install(DIRECTORY include/reverie TYPE INCLUDE)
# The built-in network, where this copy has it, and what it was made of.
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/reverie)

# Relative to the file's own place, so that `cmake --install --prefix` and moved trees work.
file(RELATIVE_PATH REVERIE_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" REVERIE_PC_PREFIX ${REVERIE_PC_PREFIX})
configure_file(cmake/reverie.pc.in reverie.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/reverie.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET reverie)
    install(TARGETS reverie)
    # Both come from the option tables of the program.
    foreach(pair IN ITEMS man:reverie.1 completion:reverie.bash)
        string(REPLACE ":" ";" pair ${pair})
        list(GET pair 0 what)
        list(GET pair 1 file)
        add_custom_command(
            OUTPUT ${file}
            COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:reverie> -DWHAT=${what} -DOUT=${file}
                    -P ${PROJECT_SOURCE_DIR}/cmake/generate.cmake
            DEPENDS reverie cmake/generate.cmake
            VERBATIM)
    endforeach()
    add_custom_target(generated_docs ALL DEPENDS reverie.1 reverie.bash)
    install(FILES ${PROJECT_BINARY_DIR}/reverie.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${PROJECT_BINARY_DIR}/reverie.bash RENAME reverie
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()
