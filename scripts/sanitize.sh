#!/usr/bin/env bash
# Builds with a sanitizer and runs the tests under it: scripts/sanitize.sh address|thread [ROOM...]
#
#   address   AddressSanitizer with UndefinedBehaviorSanitizer, in build/address: all test programs, or those of the rooms named (base, data, ...)
#   thread    ThreadSanitizer, in build/thread: the loader, what runs on several threads, the supervisor, and the command's progress and signals
#
# LibTorch is not instrumented. What that makes a sanitizer say wrongly stands in tests/sanitizers, with the reason. The build defines
# NDEBUG as LibTorch's does, since some of its classes have other members without. The standard library checks its own bounds.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "scripts/sanitize.sh: $*" >&2; exit 1; }

kind="${1:-}"
[ "$kind" = address ] || [ "$kind" = thread ] || fail "expected address or thread, but got '$kind'"
shift

command -v clang++-19 > /dev/null || fail "clang++-19 is not installed; scripts/setup.sh installs it"
ls "$(clang++-19 -print-resource-dir)"/lib/*/libclang_rt.asan* > /dev/null 2>&1 ||
  fail "clang's sanitizers are not installed; apt-get install libclang-rt-19-dev"
python=build/venv/bin/python
[ -x "$python" ] || python=python3
here="$PWD/tests/sanitizers"
folder="build/$kind"

# A filter of GoogleTest for each program under ThreadSanitizer.
declare -A threaded=([base]='Supervise.*:Activity*.*' [data]='Loader.*:Parallel*.*:ImageFolder.*' [tools]='ProgressBar.*:Interrupt.*')
if [ $# -gt 0 ]; then
  rooms=("$@")
elif [ "$kind" = thread ]; then
  rooms=("${!threaded[@]}")
else
  mapfile -t rooms < <(find tests -mindepth 2 -maxdepth 2 -name '*_test.cpp' -printf '%h\n' | sort -u | xargs -n 1 basename)
fi

# Faults are left to the supervisor, and names to whoever reads the report: a confined process may start no symbolizer. LibTorch's vectors have no notes
# of how much of them is in use.
asan="detect_container_overflow=0:handle_segv=0:handle_abort=0:handle_sigbus=0:allocator_may_return_null=1:abort_on_error=0"
export LSAN_OPTIONS="suppressions=$here/leak.supp:print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"
export TSAN_OPTIONS="suppressions=$here/thread.supp:ignore_noninstrumented_modules=1:halt_on_error=0:exitcode=66"

CC=clang-19 CXX=clang++-19 cmake --preset "$kind" -DACTSWAP_WERROR=ON > /dev/null
cmake --build "$folder" --target "${rooms[@]/#/test_}"
"$python" tests/make_models.py "$folder/test_models" --if-missing

# Tests that cannot pass under it, behind a minus.
left_out="$({ grep -v '^ *\(#\|$\)' "$here/$kind.txt" || true; } | paste -sd:)"
failed=()
for room in "${rooms[@]}"; do
  filter='*'
  [ "$kind" = address ] || filter="${threaded[$room]:-*}"
  echo "== $room"
  # A confined process may not be traced, which looking for leaks takes.
  leaks=1
  case "$room" in base | tools) leaks=0 ;; esac
  export ASAN_OPTIONS="$asan:detect_leaks=$leaks"
  "$folder/bin/test_$room" --gtest_brief=1 "--gtest_filter=$filter-$left_out" || failed+=("$room")
done
[ ${#failed[@]} -eq 0 ] || fail "found something in: ${failed[*]}"
