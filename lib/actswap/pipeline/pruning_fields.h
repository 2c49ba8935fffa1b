// The fields of what a pruning gives, for the checkpoints of a conversion.
#pragma once

#include <actswap/pipeline/conversion_fields.h>
#include <actswap/report/run.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

template <typename Fields>
void visit(Fields& fields, PruneBudget& budget) {
  fields("kind", budget.kind);
  fields("value", budget.value);
}

template <typename Fields>
void visit(Fields& fields, PrunedGroup& group) {
  fields("name", group.name);
  fields("before", group.before);
  fields("after", group.after);
  fields("dead", group.dead);
  fields("constant", group.constant);
  fields("is_exact", group.is_exact);
  fields("exchanges", group.exchanges);
  fields("loss", group.loss);
}

template <typename Fields>
void visit(Fields& fields, Unprunable& stayed) {
  fields("name", stayed.name);
  fields("reason", stayed.reason);
}

template <typename Fields>
void visit(Fields& fields, Cost& cost) {
  fields("multiplications", cost.multiplications);
  fields("parameters", cost.parameters);
}

// A row for each dimension of a tensor that has lost entries.
template <typename Fields>
void visit(Fields& fields, KeptEntries& kept) {
  std::vector<std::string> tensors;
  std::vector<std::int64_t> dimensions;
  std::vector<torch::Tensor> indices;
  std::vector<std::string> readers(kept.readers.begin(), kept.readers.end());
  for (const auto& [place, entries] : kept.indices) {
    tensors.push_back(place.first);
    dimensions.push_back(place.second);
    indices.push_back(entries);
  }
  fields("tensors", tensors);
  fields("dimensions", dimensions);
  fields("indices", indices);
  fields("readers", readers);
  kept = {};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    kept.indices.emplace(std::pair(tensors[i], dimensions.at(i)), indices.at(i));
  }
  kept.readers.insert(readers.begin(), readers.end());
}

template <typename Fields>
void visit(Fields& fields, Pruning& pruning) {
  fields("budget", pruning.budget);
  fields("keep", pruning.keep);
  fields("round", pruning.round);
  fields("groups", pruning.groups);
  fields("stayed", pruning.stayed);
  fields("before", pruning.before);
  fields("after", pruning.after);
  fields("refit", pruning.refit);
  fields("kept", pruning.kept);
  fields("seconds", pruning.seconds);
}

template <typename Fields>
void visit(Fields& fields, PruneRecord& record) {
  fields("pruning", record.pruning);
  fields("swapped", record.swapped);
  fields("pruned", record.pruned);
  fields("refitted", record.refitted);
}

}  // namespace actswap
