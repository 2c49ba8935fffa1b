# Packages: `cpack` in the build folder makes a .deb and a .tar.gz (docs/install.md). LibTorch is not part of them.
set(CPACK_PACKAGE_NAME actswap)
set(CPACK_PACKAGE_VENDOR "The actswap authors")
set(CPACK_PACKAGE_CONTACT "The actswap authors <maintainers@actswap.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "replaces the activations of trained TorchScript models by cheaper ones")
set(CPACK_PACKAGE_DESCRIPTION "actswap replaces Mish, SiLU, GELU and other expensive activations of a trained\n\
TorchScript model by ReLU or another cheap one, fits the model to its original\n\
without labels, fine-tunes it and exports it. The package holds the command, the\n\
C++ library with its headers, and a CMake package.\n\
.\n\
It needs LibTorch ${ACTSWAP_LIBTORCH_SERIES}, which Debian does not have: PyTorch in the user's Python,\n\
or a folder that ACTSWAP_LIBTORCH names.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" system)
set(CPACK_PACKAGE_FILE_NAME actswap-${PROJECT_VERSION}-${system})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# dpkg-shlibdeps says which packages hold the libraries. LibTorch's are in none.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${TORCH_INSTALL_PREFIX}/lib)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3-venv, cmake, g++")
include(CPack)
