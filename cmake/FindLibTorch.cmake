# LibTorch, in this order: ACTSWAP_LIBTORCH (its folder: the one that holds share/cmake/Torch),
# CMAKE_PREFIX_PATH, the virtual environment that scripts/setup.sh makes under build/.
#
# Its folder goes first on CMAKE_PREFIX_PATH: with a distribution's libtorch beside it find_package
# would otherwise take that one's libraries with this one's headers.
set(ACTSWAP_LIBTORCH "$ENV{ACTSWAP_LIBTORCH}" CACHE PATH "LibTorch's folder")
if(NOT ACTSWAP_LIBTORCH AND NOT CMAKE_PREFIX_PATH AND NOT DEFINED ENV{CMAKE_PREFIX_PATH})
  file(GLOB in_environment ${PROJECT_SOURCE_DIR}/build/venv/lib/python3*/site-packages/torch)
  if(in_environment)
    list(GET in_environment 0 ACTSWAP_LIBTORCH)
  endif()
endif()
if(ACTSWAP_LIBTORCH)
  list(PREPEND CMAKE_PREFIX_PATH ${ACTSWAP_LIBTORCH})
endif()
find_package(Torch 2.6 QUIET)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch 2.6 or newer was not found. Run scripts/setup.sh, which installs it "
                      "under build/, or name yours with -DACTSWAP_LIBTORCH=/path/to/torch.")
endif()

# Headers and library must be of one version: a mixture aborts when the program starts.
list(GET TORCH_INCLUDE_DIRS 0 include_dir)
set(version_header ${include_dir}/torch/headeronly/version.h)
if(NOT EXISTS ${version_header})
  set(version_header ${include_dir}/torch/csrc/api/include/torch/version.h)
endif()
file(STRINGS ${version_header} version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX MATCHALL "[0-9]+" header_version "${version_lines}")
list(JOIN header_version "." header_version)
get_filename_component(library_dir "${TORCH_LIBRARY}" DIRECTORY)
get_filename_component(library_root "${library_dir}" DIRECTORY)
get_filename_component(header_root "${include_dir}" DIRECTORY)
get_filename_component(library_root "${library_root}" REALPATH)
get_filename_component(header_root "${header_root}" REALPATH)
if(NOT library_root STREQUAL header_root)
  message(FATAL_ERROR "LibTorch's headers (${header_root}) and library (${library_root}) are not of "
                      "one installation. Put the folder of the one you want first on "
                      "CMAKE_PREFIX_PATH, or name it with -DACTSWAP_LIBTORCH.")
endif()
message(STATUS "LibTorch ${header_version}: ${library_root}")
