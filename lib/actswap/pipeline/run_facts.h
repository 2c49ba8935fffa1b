// What a resumed run has to have in common with the one that it goes on with.
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

/// Of this version, LibTorch, the model, what becomes of its sites, the data and every option. Of
/// data a hash of 64 examples; of its files size and time.
std::vector<RunFact> facts_of(const Model& model, const Plan& plan, const ConvertOptions& options);

/// One hash of all.
std::string sha256_of(const std::vector<RunFact>& facts);

/// What ranks have to have in common, a line for each: files may have other times on other hosts.
std::string common_to_ranks(const std::vector<RunFact>& facts);

/// @throws UsageError that names the first difference
void expect_same(const std::vector<RunFact>& then, const std::vector<RunFact>& now,
                 const std::string& folder);

}  // namespace actswap
