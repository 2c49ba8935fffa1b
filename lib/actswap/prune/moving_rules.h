// How operators that move entries about, or take some of them, pass on labels.
#pragma once

#include <actswap/prune/labelled_run.h>

namespace actswap {

void view_rule(const OperatorCall& call, LabelledRun& run);
void expand_rule(const OperatorCall& call, LabelledRun& run);
void unflatten_rule(const OperatorCall& call, LabelledRun& run);
void select_rule(const OperatorCall& call, LabelledRun& run);
void unbind_rule(const OperatorCall& call, LabelledRun& run);
void pads_rule(const OperatorCall& call, LabelledRun& run);
void concatenates_rule(const OperatorCall& call, LabelledRun& run);
void slices_rule(const OperatorCall& call, LabelledRun& run);
void narrows_rule(const OperatorCall& call, LabelledRun& run);
void chunks_rule(const OperatorCall& call, LabelledRun& run);
void splits_rule(const OperatorCall& call, LabelledRun& run);
void shuffles_rule(const OperatorCall& call, LabelledRun& run);
void looks_up_rule(const OperatorCall& call, LabelledRun& run);
void glu_rule(const OperatorCall& call, LabelledRun& run);

}  // namespace actswap
