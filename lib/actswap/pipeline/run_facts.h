// The facts that a resumed run must share with the run that it continues.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/graph/plan.h>
#include <actswap/pipeline/convert_options.h>

#include <string>
#include <vector>

namespace actswap {

struct RunFact {
  std::string name;   ///< "the learning rate (--lr)"
  std::string value;  ///< as text
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("name", name);
    fields("value", value);
  }
};

/// The facts: this version, LibTorch's, the model, the targets of its sites, the data and every
/// option. Data is represented by a hash of 64 examples and the sizes and times of its files.
std::vector<RunFact> facts_of(const Model& model, const Plan& plan, const ConvertOptions& options);

/// One hash of all.
std::string sha256_of(const std::vector<RunFact>& facts);

/// The facts that ranks must share, a line for each; without times of files, which hosts may differ
/// in.
std::string common_to_ranks(const std::vector<RunFact>& facts);

/// @throws UsageError that names the first difference
void expect_same(const std::vector<RunFact>& then, const std::vector<RunFact>& now,
                 const std::string& folder);

}  // namespace actswap
