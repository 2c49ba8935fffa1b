// All of actswap's public interface.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/error.h>
#include <actswap/base/memory.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/load.h>
#include <actswap/data/loader.h>
#include <actswap/data/sample.h>
#include <actswap/export/export_model.h>
#include <actswap/graph/model.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/sites.h>
#include <actswap/graph/thaw.h>
#include <actswap/kernel/blend_operator.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/comparison.h>
#include <actswap/measure/input_spec.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/measure/sensitivity_plan.h>
#include <actswap/pipeline/convert.h>
#include <actswap/report/run.h>
#include <actswap/schedule/schedule.h>
#include <actswap/train/trainer.h>
