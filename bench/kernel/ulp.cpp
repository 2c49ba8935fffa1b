// How exact the kernels are: every float32 (all 2^32, or each STEP-th) through every row that has a
// kernel, value and derivative, on every instruction set of this processor, against the table's
// functions in double. Prints a table in Markdown.
//
//   kernel_ulp [--step N] [--threads N] [--without SET]... [ROW...]
//
// A unit is the last place of the exact result as a float32, which for results below 2^-126 is
// 2^-149, the smallest denormal. A derivative crosses 0, where the last place is no measure; its
// units are those of max(|result|, 1) in the last column but one. Step 1 takes one to two minutes
// for each row and thread.
#include "reference.h"

#include <actswap/activation/activation.h>
#include <actswap/kernel/blend_kernel.h>
#include <hwy/targets.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using actswap::ActivationSpec;
using actswap::BlendKernel;

constexpr std::size_t kChunk = 32768;

struct Errors {
  double largest_ulp = 0.0;
  float at = 0.0F;
  double largest = 0.0;          // in units of max(|result|, 1)
  std::uint64_t not_finite = 0;  // NaN or infinite where the exact result is not, or otherwise
};

// Of one element, in units of the exact result's last place, and of at least 1's.
struct Error {
  double ulp;
  double of_one;
  std::uint64_t wrong;
};

// 1 over the last place that a float32 has there.
inline double places(double exact, std::uint64_t least_exponent) {
  std::uint64_t exponent = (std::bit_cast<std::uint64_t>(exact) >> 52U) & 2047U;
  exponent = exponent > least_exponent ? exponent : least_exponent;
  return std::bit_cast<double>((2046U + 23U - exponent) << 52U);
}

inline Error error_of(float result, double exact) {
  const auto rounded = static_cast<float>(exact);
  const bool special = !(std::abs(rounded) < INFINITY);
  const bool same = result == rounded || (std::isnan(result) && std::isnan(rounded));
  const bool wrong = special ? !same : !(std::abs(result) < INFINITY);
  const double error = special || wrong ? 0.0 : std::abs(static_cast<double>(result) - exact);
  return {error * places(exact, 1023U - 126U), error * places(exact, 1023U), wrong ? 1U : 0U};
}

void add_errors(const float* results, const double* exact, std::size_t n, double* largest_ulp,
                double* largest, std::uint64_t* wrong) {
  double most_ulp = 0.0;
  double most = *largest;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Error error = error_of(results[i], exact[i]);
    most_ulp = error.ulp > most_ulp ? error.ulp : most_ulp;
    most = error.of_one > most ? error.of_one : most;
    count += error.wrong;
  }
  *largest_ulp = most_ulp;
  *largest = most;
  *wrong += count;
}

void add(Errors& all, const float* x, const float* results, const double* exact, std::size_t n) {
  double largest_ulp = 0.0;
  add_errors(results, exact, n, &largest_ulp, &all.largest, &all.not_finite);
  if (largest_ulp > all.largest_ulp) {
    all.largest_ulp = largest_ulp;
    std::size_t i = 0;
    while (error_of(results[i], exact[i]).ulp != largest_ulp) {
      ++i;
    }
    all.at = x[i];
  }
}

void add(Errors& all, const Errors& other) {
  if (other.largest_ulp > all.largest_ulp) {
    all.largest_ulp = other.largest_ulp;
    all.at = other.at;
  }
  all.largest = std::max(all.largest, other.largest);
  all.not_finite += other.not_finite;
}

struct RowErrors {
  Errors value;
  Errors derivative;
};

std::vector<std::int64_t> instruction_sets(std::span<const std::string> without) {
  std::vector<std::int64_t> sets;
  const auto supported = static_cast<std::uint64_t>(hwy::SupportedTargets());
  for (std::uint64_t bit = 1; bit < (std::uint64_t{1} << 62U); bit <<= 1U) {
    const auto set = static_cast<std::int64_t>(bit);
    hwy::SetSupportedTargetsForTest(set);
    // What the kernels are not compiled for is done by another set. EMU128 is what processors
    // without SSE4 have: the arithmetic of SSE4, and slow.
    if ((supported & bit) != 0 && set != HWY_EMU128 &&
        std::find(without.begin(), without.end(), hwy::TargetName(set)) == without.end() &&
        std::string_view(actswap::kernel_instruction_set()) == hwy::TargetName(set)) {
      sets.push_back(set);
    }
  }
  return sets;
}

// Parameters as the kernel has them.
ActivationSpec single(ActivationSpec spec) {
  for (double& parameter : spec.parameters) {
    parameter = static_cast<float>(parameter);
  }
  return spec;
}

class Reference {
 public:
  explicit Reference(const ActivationSpec& spec)
      : spec_(spec), row_(reference::find(*spec.activation)), wide_(kChunk) {}

  void operator()(const std::vector<float>& x, double* value, double* derivative) {
    if (row_ == nullptr) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        value[i] = spec_.value(x[i]);
        derivative[i] = spec_.derivative(x[i]);
      }
      return;
    }
    std::copy(x.begin(), x.end(), wide_.begin());
    row_(wide_.data(), spec_.parameters.data(), value, derivative, x.size());
    for (std::size_t i = 0; i < x.size(); i += 509) {
      check(x[i], value[i], spec_.value(x[i]), 0.0);
      check(x[i], derivative[i], spec_.derivative(x[i]), 1.0);
    }
  }

 private:
  void check(float x, double fast, double table, double floor) const {
    const bool same = std::isnan(table)
                          ? std::isnan(fast)
                          : fast == table || std::abs(table) < 1e-47 ||
                                std::abs(fast - table) <= 1e-11 * std::max(std::abs(table), floor);
    if (!same) {
      std::fprintf(stderr, "the reference of %s is wrong at %.9g: expected %.17g, but got %.17g\n",
                   spec_.to_string().c_str(), x, table, fast);
      std::exit(1);
    }
  }

  ActivationSpec spec_;
  reference::Row row_;
  std::vector<double> wide_;
};

// The chunks that worker `part` of `parts` has; one result for each instruction set.
std::vector<RowErrors> measure(const ActivationSpec& spec, std::span<const std::int64_t> sets,
                               std::uint64_t step, std::uint64_t part, std::uint64_t parts) {
  const auto kernel = *BlendKernel::find(spec, actswap::resolve("relu"));
  Reference reference(spec);
  std::vector<float> x;
  const std::vector<float> ones(kChunk, 1.0F);
  std::vector<float> value(kChunk);
  std::vector<float> derivative(kChunk);
  std::vector<double> exact_value(kChunk);
  std::vector<double> exact_derivative(kChunk);
  std::vector<RowErrors> errors(sets.size());
  std::vector<float> last_value(kChunk);
  std::vector<float> last_derivative(kChunk);
  std::vector<RowErrors> chunk(sets.size());
  for (std::uint64_t first = part * step * kChunk; first <= UINT32_MAX;
       first += parts * step * kChunk) {
    x.clear();
    for (std::uint64_t bits = first; bits <= UINT32_MAX && x.size() < kChunk; bits += step) {
      x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    }
    const std::size_t n = x.size();
    reference(x, exact_value.data(), exact_derivative.data());
    for (std::size_t set = 0; set < sets.size(); ++set) {
      hwy::SetSupportedTargetsForTest(sets[set]);
      const auto count = static_cast<std::int64_t>(n);
      const auto float32 = actswap::Element::float32;
      kernel.forward(float32, 0.0, x.data(), value.data(), 0, count);
      kernel.backward(float32, 0.0, x.data(), ones.data(), derivative.data(), 0, count);
      // Sets with fused products give the same results.
      const auto is_as_before = [&](const std::vector<float>& now,
                                    const std::vector<float>& before) {
        return set > 0 && std::memcmp(now.data(), before.data(), n * sizeof(float)) == 0;
      };
      if (is_as_before(value, last_value) && is_as_before(derivative, last_derivative)) {
        chunk[set] = chunk[set - 1];
      } else {
        chunk[set] = {};
        add(chunk[set].value, x.data(), value.data(), exact_value.data(), n);
        // Where x is NaN the table's derivative may be that of either side.
        for (std::size_t i = 0; i < n; ++i) {
          derivative[i] = std::isnan(x[i]) ? 0.0F : derivative[i];
          exact_derivative[i] = std::isnan(x[i]) ? 0.0 : exact_derivative[i];
        }
        add(chunk[set].derivative, x.data(), derivative.data(), exact_derivative.data(), n);
      }
      std::swap(value, last_value);
      std::swap(derivative, last_derivative);
      add(errors[set].value, chunk[set].value);
      add(errors[set].derivative, chunk[set].derivative);
    }
  }
  return errors;
}

// Processes, since the choice of an instruction set is one for all threads.
std::vector<RowErrors> measure(const ActivationSpec& spec, std::span<const std::int64_t> sets,
                               std::uint64_t step, std::uint64_t parts) {
  std::vector<int> ends;
  for (std::uint64_t part = 0; part < parts; ++part) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) {
      std::perror("pipe");
      std::exit(1);
    }
    if (fork() == 0) {
      const auto errors = measure(spec, sets, step, part, parts);
      const auto size = errors.size() * sizeof(RowErrors);
      _exit(write(pipe_ends[1], errors.data(), size) == static_cast<ssize_t>(size) ? 0 : 1);
    }
    close(pipe_ends[1]);
    ends.push_back(pipe_ends[0]);
  }
  std::vector<RowErrors> all(sets.size());
  std::vector<RowErrors> errors(sets.size());
  for (const int end : ends) {
    const auto size = errors.size() * sizeof(RowErrors);
    int status = 0;
    if (read(end, errors.data(), size) != static_cast<ssize_t>(size)) {
      std::fprintf(stderr, "a worker ended early\n");
      std::exit(1);
    }
    close(end);
    wait(&status);
    for (std::size_t set = 0; set < sets.size(); ++set) {
      add(all[set].value, errors[set].value);
      add(all[set].derivative, errors[set].derivative);
    }
  }
  return all;
}

void print(const std::string& row, std::int64_t set, std::uint64_t step, const RowErrors& errors) {
  std::printf(
      "| %s | %s | 1/%llu | %.2f | %.9g | %.2f | %llu |\n", row.c_str(), hwy::TargetName(set),
      static_cast<unsigned long long>(step), errors.value.largest_ulp, errors.value.at,
      errors.derivative.largest,
      static_cast<unsigned long long>(errors.value.not_finite + errors.derivative.not_finite));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t step = 1;
  std::uint64_t threads = 1;
  std::vector<std::string> without;
  std::vector<std::string> rows;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if ((word == "--step" || word == "--threads") && i + 1 < argc) {
      (word == "--step" ? step : threads) = std::max(1ULL, std::strtoull(argv[++i], nullptr, 10));
    } else if (word == "--without" && i + 1 < argc) {
      without.emplace_back(argv[++i]);
    } else {
      rows.emplace_back(word);
    }
  }
  if (rows.empty()) {
    for (const auto& row : actswap::activations()) {
      if (actswap::has_source_kernel(row)) {
        rows.push_back(actswap::resolve(row.name).to_string());
        if (row.name == "swish") {
          rows.emplace_back("quick_gelu");
        }
      }
    }
  }
  std::printf(
      "| row | set | inputs | value, units | at | derivative, units of max(f', 1) | not finite |\n"
      "|---|---|---|---|---|---|---|\n");
  const auto sets = instruction_sets(without);
  for (const auto& name : rows) {
    const auto errors = measure(single(actswap::resolve(name)), sets, step, threads);
    for (std::size_t set = 0; set < sets.size(); ++set) {
      print(name, sets[set], step, errors[set]);
    }
  }
  return 0;
}
