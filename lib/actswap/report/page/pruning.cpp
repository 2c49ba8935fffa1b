// What was pruned.
#include <actswap/report/formatted.h>
#include <actswap/report/page/axis.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>

namespace actswap::page {

namespace {

std::string count_text(const Json& group, std::string_view key) {
  const auto count = number(group, {key});
  return count ? formatted("%.0f", *count) : "";
}

Row cost_row(const Json& pruning, std::string_view key) {
  const auto before = number(pruning, {key, "before"});
  const auto after = number(pruning, {key, "after"});
  if (!before || !after || *before <= 0.0) {
    return {};
  }
  return {std::string(key), number_text(*before), number_text(*after),
          formatted("%.1f %%", 100.0 * (1.0 - *after / *before))};
}

}  // namespace

std::string pruning(const RecordedRun& run) {
  const auto& record = field(run.record, {"pruning"});
  std::vector<Row> costs;
  for (const std::string_view key : {"multiplications", "parameters"}) {
    if (auto row = cost_row(record, key); !row.empty()) {
      costs.push_back(std::move(row));
    }
  }
  std::vector<Row> groups;
  for (const auto& group : list(record, {"groups"})) {
    const auto loss = number(group, {"loss"});
    groups.push_back({escaped(text(group, {"name"})), count_text(group, "before"),
                      count_text(group, "after"), loss ? formatted("%.2f %%", 100.0 * *loss) : ""});
  }
  return table({"", "before", "after", "less"}, costs) +
         table({"units of", "before", "after", "lost variance"}, groups);
}

}  // namespace actswap::page
