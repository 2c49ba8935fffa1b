// How layers, norms and products of tensors pass on the labels of their tensors.
#pragma once

#include <actswap/prune/labelled_run.h>

namespace actswap {

void linear_rule(const OperatorCall& call, LabelledRun& run);
void convolution_rule(const OperatorCall& call, LabelledRun& run);
void embedding_rule(const OperatorCall& call, LabelledRun& run);
/// matmul, mm, bmm
void product_rule(const OperatorCall& call, LabelledRun& run);
/// addmm, baddbmm
void sum_of_product_rule(const OperatorCall& call, LabelledRun& run);
void attention_rule(const OperatorCall& call, LabelledRun& run);

/// batch_norm, instance_norm
void channel_norm_rule(const OperatorCall& call, LabelledRun& run);
void layer_norm_rule(const OperatorCall& call, LabelledRun& run);
void group_norm_rule(const OperatorCall& call, LabelledRun& run);
void prelu_rule(const OperatorCall& call, LabelledRun& run);

}  // namespace actswap
