#include <actswap/base/error.h>
#include <actswap/measure/agreement_measure.h>

#include <torch/torch.h>

#include <algorithm>
#include <array>

namespace actswap {

namespace {

struct Row {
  AgreementMeasure measure;
  const char* name;
  const char* words;
};

constexpr std::array<Row, 3> kRows = {
    {{AgreementMeasure::same_prediction, "same-prediction", "same prediction"},
     {AgreementMeasure::cosine, "cosine", "cosine"},
     {AgreementMeasure::explained, "error", "1 - relative error"}}};

bool are_unit_rows(const torch::Tensor& output) {
  const auto norms = output.to(torch::kFloat64).norm(2, 1);
  return ((norms - 1.0).abs() < 1e-3).all().item<bool>();
}

}  // namespace

AgreementMeasure parse_agreement_measure(std::string_view name) {
  for (const auto& row : kRows) {
    if (name == row.name) {
      return row.measure;
    }
  }
  throw UsageError("Expected same-prediction, cosine or error as the agreement, but got '" +
                   std::string(name) + "'");
}

std::string to_string(AgreementMeasure measure) {
  const auto* row = std::ranges::find(kRows, measure, &Row::measure);
  return row->words;
}

double value_of(AgreementMeasure measure, const Agreement& agreement) {
  switch (measure) {
    case AgreementMeasure::same_prediction:
      return agreement.same_prediction.value_or(0.0) / 100.0;
    case AgreementMeasure::cosine:
      return agreement.mean_cosine;
    case AgreementMeasure::explained:
      return 1.0 - agreement.relative_error;
  }
  return 0.0;
}

AgreementMeasure default_agreement(const std::vector<torch::Tensor>& outputs, bool has_classes) {
  const auto is_floating = [](const torch::Tensor& output) { return output.is_floating_point(); };
  const bool is_single = std::ranges::count_if(outputs, is_floating) == 1;
  if (outputs.empty() || !is_floating(outputs.front()) || outputs.front().dim() < 2 ||
      outputs.front().size(1) < 2) {
    return AgreementMeasure::explained;
  }
  if (has_classes) {
    return AgreementMeasure::same_prediction;
  }
  if (!is_single || outputs.front().dim() != 2) {
    return AgreementMeasure::explained;
  }
  return are_unit_rows(outputs.front()) ? AgreementMeasure::cosine
                                        : AgreementMeasure::same_prediction;
}

}  // namespace actswap
