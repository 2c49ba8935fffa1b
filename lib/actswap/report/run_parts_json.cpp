#include <actswap/report/formatted.h>
#include <actswap/report/run_parts_json.h>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;

Json checks_json(const std::vector<CheckRecord>& checks) {
  Json list = Json::array();
  for (const auto& check : checks) {
    list.push_back({{"step", check.step},
                    {"t", check.t},
                    {"value", check.value},
                    {"drop", check.drop},
                    {"best", check.best}});
    if (!check.ramp.empty()) {
      list.back()["ramp"] = check.ramp;
    }
  }
  return list;
}

Json sweep_json(const RateSweep& sweep) {
  Json trials = Json::array();
  for (const auto& trial : sweep.trials) {
    trials.push_back({{"rate", trial.rate}, {"loss", trial.loss}});  // infinite: null
  }
  return {{"chosen", sweep.chosen},         {"trials", trials},
          {"steps", sweep.steps},           {"held_out", sweep.held_out},
          {"start_loss", sweep.start_loss}, {"seconds", sweep.seconds}};
}

Json options_json(const CalibrationOptions& options) {
  return {{"inputs", options.inputs},
          {"batch_size", options.batch_size},
          {"memory", options.memory},
          {"max_features", options.max_features},
          {"passes", options.passes ? Json(*options.passes) : Json()},
          {"minutes", optional_json(options.minutes)},
          {"draws_each_pass", options.draws_each_pass}};
}

const char* kind_of(const LearningRate& rate) {
  return rate.kind == LearningRate::Kind::fixed        ? "request"
         : rate.kind == LearningRate::Kind::calibrated ? "calibration"
         : rate.kind == LearningRate::Kind::swept      ? "sweep"
                                                       : "search";
}

Json outputs_json(const std::vector<OutputForm>& forms) {
  Json list = Json::array();
  for (const auto& form : forms) {
    list.push_back(to_string(form));
  }
  return list;
}

}  // namespace

nlohmann::ordered_json epochs_json(const std::vector<EpochRecord>& epochs) {
  Json list = Json::array();
  for (const auto& epoch : epochs) {
    list.push_back({{"epoch", epoch.epoch},
                    {"step", epoch.step},
                    {"t", epoch.t},
                    {"loss", epoch.mean_loss},
                    {"learning_rate", epoch.learning_rate},
                    {"seconds", epoch.seconds},
                    {"waited", epoch.waited}});
    if (!epoch.checks.empty()) {
      list.back()["checks"] = checks_json(epoch.checks);
    }
  }
  return list;
}

nlohmann::ordered_json calibration_json(const Calibration& calibration,
                                        const CalibrationOptions& options) {
  Json sites = Json::array();
  for (const auto& site : calibration.sites) {
    sites.push_back({{"blend", site.blend},
                     {"producer", site.producer.empty() ? Json() : Json(site.producer)},
                     {"channels", site.channels},
                     {"mean_shift", site.mean_shift},
                     {"largest_shift", site.largest_shift},
                     {"mean_scale", site.mean_scale}});
  }
  Json layers = Json::array();
  for (const auto& layer : calibration.layers) {
    layers.push_back({{"name", layer.name},
                      {"fit", to_string(layer.fit)},
                      {"error_before", layer.error_before},
                      {"error_after", layer.error_after}});
  }
  return {{"inputs", calibration.inputs},
          {"seconds", calibration.seconds},
          {"sites", sites},
          {"layers", layers},
          {"joint",
           {{"passes", calibration.joint.passes},
            {"planned", calibration.joint.planned},
            {"rate", calibration.joint.rate},
            {"inputs", calibration.joint.inputs},
            {"error_before", calibration.joint.error_before},
            {"error_after", calibration.joint.error_after}}},
          {"learning_rate", calibration.learning_rate},
          {"batch_norms", calibration.batch_norms},
          {"left_out", calibration.left_out},
          {"options", options_json(options)}};
}

nlohmann::ordered_json site_record_json(const SiteRecord& site) {
  Json json = Json::object();
  if (site.cost) {
    json["shape"] = site.cost->shape;
    json["dtype"] = site.cost->dtype;
    json["calls"] = site.cost->calls;
    json["milliseconds"] = site.cost->milliseconds;
    json["share"] = site.cost->share;
  }
  if (site.inputs) {
    json["inputs"] = {
        {"low", site.inputs->low}, {"high", site.inputs->high}, {"counts", site.inputs->counts}};
  }
  if (site.error_of_swap || site.error_of_export) {
    json["error"] = {{"swap", optional_json(site.error_of_swap)},
                     {"exported", optional_json(site.error_of_export)}};
  }
  return json;
}

nlohmann::ordered_json machine_json(const Machine& machine) {
  return {{"processor", machine.processor},
          {"processors", machine.processors},
          {"threads", machine.threads},
          {"load", machine.load < 0.0 ? Json() : Json(machine.load)}};
}

nlohmann::ordered_json training_json(const Run& run) {
  Json json = {{"epochs", run.train.epochs},
               {"batch_size", run.train.batch_size},
               {"loss", to_string(run.train.loss)},
               {"temperature", run.train.temperature},
               {"class_dim", run.train.class_dim},
               {"optimizer", to_string(run.train.optimizer)},
               {"learning_rate", run.train.learning_rate},
               {"learning_rate_from", kind_of(run.learning_rate)},
               {"learning_rate_is_share", run.train.is_rate_relative},
               {"outputs", outputs_json(run.train.outputs)},
               {"held_out", run.options.held_out},
               {"momentum", run.train.momentum},
               {"weight_decay", run.train.weight_decay},
               {"clip_norm", run.train.clip_norm},
               {"warmup", run.train.warmup},
               {"average", run.train.average},
               {"keeps_statistics", run.train.keeps_statistics},
               {"check_every", run.train.check_every},
               {"keep", to_string(run.train.keep)},
               {"patience", run.train.patience},
               {"retries", run.train.retries},
               {"bound", optional_json(run.train.bound)},
               {"blend_code", run.options.blend_code == BlendCode::fused ? "fused" : "stock"},
               {"seed", run.train.seed},
               {"augmentation", to_string(run.train.augmentation)},
               {"schedule", run.schedule}};
  if (!run.site_order.empty()) {
    json["site_order"] = run.site_order;
  }
  if (run.training_effect) {
    const auto& effect = *run.training_effect;
    json["effect"] = {
        {"examples", effect.examples},   {"loss_before", effect.before},
        {"loss_after", effect.after},    {"kept_share", effect.kept_share},
        {"kept_loss", effect.kept_loss}, {"taken_back", effect.is_taken_back()}};  // infinite: null
  }
  if (!run.control_diverged.empty()) {
    json["control_diverged"] = run.control_diverged;
  }
  if (run.rate_sweep) {
    json["rate_sweep"] = sweep_json(*run.rate_sweep);
  }
  return json;
}

}  // namespace actswap
