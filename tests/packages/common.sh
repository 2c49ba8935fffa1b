# What quick.sh and run.sh share.

fail() { echo "${0##*/}: $*" >&2; exit 1; }

# cached NAME BUILD: what a build was configured with.
cached() { sed -n "s|^$1:[A-Z]*=||p" "$2/CMakeCache.txt"; }

test_model() {
  local model="$1/test_models/scripted_module.pt"
  [ -f "$model" ] || fail "there is no $model; tests/run.sh makes it, or tests/make_models.py"
  echo "$model"
}

libtorch_of() {
  local package
  package="$(cached Torch_DIR "$1")"
  [ -d "$package" ] || fail "there is no Torch_DIR in $1/CMakeCache.txt"
  (cd "$package/../../.." && pwd -P)
}

# make_packages BUILD FOLDER GENERATORS
make_packages() {
  local cpack
  cpack="$(dirname "$(cached CMAKE_COMMAND "$1")")/cpack"
  "$cpack" --config "$1/CPackConfig.cmake" -G "$3" -B "$2" > "$2.log" 2>&1 || { cat "$2.log"; fail "cpack failed"; }
}

# check_files PREFIX: what has to be installed, and what must not.
check_files() {
  local prefix="$1" file binary
  for file in bin/actswap share/man/man1/actswap.1.gz share/man/man1/actswap-convert.1.gz share/doc/actswap/copyright \
    share/bash-completion/completions/actswap share/zsh/site-functions/_actswap share/fish/vendor_completions.d/actswap.fish \
    include/actswap/actswap.h include/actswap/graph/model.h; do
    [ -s "$prefix/$file" ] || fail "$file is not installed"
  done
  for file in base/precompiled.h graph/scan.h kernel/math-inl.h calibrate/regression.h; do
    [ ! -e "$prefix/include/actswap/$file" ] || fail "$file is for actswap's own sources, and was installed"
  done
  # Nothing may point back to where it was built: neither text nor run paths.
  if grep -rIl -e "$source/lib" -e "$build" "$prefix"; then
    fail "these installed files name the source or the build folder"
  fi
  for binary in "$prefix/bin/actswap" "$(find "$prefix" -name subcommands.so)" "$(find "$prefix" -name 'libactswap.so.0')"; do
    case "$(readelf -d "$binary" | sed -n 's/.*R.*PATH.*\[\(.*\)\]/\1/p')" in
      '' | '$ORIGIN/..') ;;
      *) fail "unexpected run path: $(readelf -d "$binary" | grep PATH) in $binary" ;;
    esac
  done
}
