#include <actswap/base/error.h>
#include <actswap/measure/agreement_measure.h>

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

AgreementMeasure default_agreement(const std::vector<OutputForm>& forms) {
  const auto is_compared = [](const OutputForm& form) { return form.kind != OutputKind::ignored; };
  const bool is_single = std::ranges::count_if(forms, is_compared) == 1;
  const auto form = std::ranges::find_if(forms, is_compared);
  if (form == forms.end()) {
    return AgreementMeasure::explained;
  }
  if (form->kind == OutputKind::logits && form == forms.begin()) {
    return AgreementMeasure::same_prediction;
  }
  if (!is_single || form->shape.size() != 2) {
    return AgreementMeasure::explained;
  }
  if (form->kind == OutputKind::embeddings) {
    return AgreementMeasure::cosine;
  }
  return form->has_classes() || form->kind == OutputKind::scores ? AgreementMeasure::same_prediction
                                                                 : AgreementMeasure::explained;
}

}  // namespace actswap
