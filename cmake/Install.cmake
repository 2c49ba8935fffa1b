# What is installed, besides the programs of tools/: the library, its headers for users, its CMake package, its licence.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/actswap)

install(TARGETS actswap EXPORT actswapTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
# Looked for when they are installed: an #include may be new.
install(CODE "
  include(\"${PROJECT_SOURCE_DIR}/cmake/PublicHeaders.cmake\")
  actswap_public_headers(\"${PROJECT_SOURCE_DIR}/lib\" headers)
  foreach(header IN LISTS headers)
    get_filename_component(folder \${header} DIRECTORY)
    file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/\${folder}\" TYPE FILE
         FILES \"${PROJECT_SOURCE_DIR}/lib/\${header}\")
  endforeach()")

install(EXPORT actswapTargets NAMESPACE actswap:: DESTINATION ${package_folder})
# Objects that were compiled for another minor version of LibTorch do not fit.
string(REGEX MATCH "^[0-9]+\\.[0-9]+" ACTSWAP_LIBTORCH_SERIES "${Torch_VERSION}")
configure_package_config_file(cmake/actswapConfig.cmake.in actswapConfig.cmake INSTALL_DESTINATION ${package_folder}
                              PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(actswapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/actswapConfig.cmake ${PROJECT_BINARY_DIR}/actswapConfigVersion.cmake
        DESTINATION ${package_folder})

install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
# As Debian has changelogs; -n, so that the same text gives the same bytes.
install(CODE "
  execute_process(COMMAND \"${ACTSWAP_GZIP}\" -9nc \"${PROJECT_SOURCE_DIR}/CHANGELOG.md\"
                  OUTPUT_FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}/changelog.gz\"
                  COMMAND_ERROR_IS_FATAL ANY)")
