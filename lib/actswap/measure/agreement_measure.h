// How near a model is to the original, as one number for which a user can set a goal.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/judge.h>
#include <actswap/train/output_form.h>

#include <string>
#include <string_view>
#include <vector>

namespace actswap {

/// Each is 1 for the original's outputs.
enum class AgreementMeasure {
  same_prediction,  ///< share of the largest entries that are the same (classes)
  cosine,           ///< Agreement::mean_cosine (embeddings)
  explained,        ///< 1 - Agreement::relative_error (numbers, maps, several outputs)
};

/// "same-prediction", "cosine", "error". @throws UsageError
ACTSWAP_API AgreementMeasure parse_agreement_measure(std::string_view name);
/// In words: "same prediction", "cosine", "1 - relative error".
ACTSWAP_API std::string to_string(AgreementMeasure measure);

/// NaN if the outputs are not numbers; 0 if the measure needs classes and there are none.
ACTSWAP_API double value_of(AgreementMeasure measure, const Agreement& agreement);

/// The measure that suits a model with outputs of these forms (find_output_forms):
///
///   N x C probabilities or scores of classes     same_prediction
///   classes, as labels or --class-dim say        same_prediction
///   vectors of length 1                          cosine
///   all else, and several outputs                explained
///
/// An embedding that is not normalised looks like scores.
ACTSWAP_API AgreementMeasure default_agreement(const std::vector<OutputForm>& forms);

}  // namespace actswap
