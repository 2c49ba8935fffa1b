// What was verified, how to repeat the run, and what the words mean.
#include <actswap/report/formatted.h>
#include <actswap/report/page/axis.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>
#include <actswap/report/shell_word.h>

namespace actswap::page {

namespace {

using Terms = std::vector<std::pair<std::string, std::string>>;

void add(Terms& terms, const std::string& term, const std::string& what) {
  if (!what.empty()) {
    terms.emplace_back(term, escaped(what));
  }
}

}  // namespace

std::string verification(const RecordedRun& run) {
  const auto& record = run.record;
  Terms terms;
  const bool is_verified = is_true(record, {"verified"});
  add(terms, "outputs",
      is_verified
          ? "the file, loaded afresh, gives the same as the measured model"
          : "not verified" + (text(record, {"reason"}).empty() ? std::string()
                                                               : ": " + text(record, {"reason"})));
  add(terms, "on inputs", text(record, {"verified_on"}));
  if (const auto difference = number(record, {"max_rel_diff"}); difference && is_verified) {
    add(terms, "largest difference",
        number_text(*difference) + " of the largest value, " +
            number_text(number(record, {"max_abs_diff"}).value_or(0.0)) + " absolute");
  }
  if (is_true(record, {"random"})) {
    add(terms, "random numbers", "the model draws some in eval mode; both were given the same");
  }
  add(terms, "self-test in the file", text(record, {"self_test"}));
  add(terms, "original", text(record, {"model", "path"}));
  add(terms, "SHA-256 of the original", text(record, {"model", "sha256"}));
  add(terms, "exported", text(record, {"output"}));
  return description_list(terms);
}

std::string how_to_repeat(const RecordedRun& run) {
  const auto& record = run.record;
  Terms terms;
  add(terms, "actswap", text(record, {"actswap"}));
  add(terms, "LibTorch", text(record, {"libtorch"}));
  add(terms, "machine", text(record, {"machine", "processor"}));
  add(terms, "recipe", text(record, {"recipe"}));
  if (const auto seed = number(record, {"training", "seed"})) {
    add(terms, "seed", formatted("%.0f", *seed));
  }
  if (const auto seconds = number(record, {"seconds"})) {
    add(terms, "time", formatted("%.0f s", *seconds));
  }
  auto html = description_list(terms);
  if (!run.configuration.empty()) {
    html += element("p",
                    "The run wrote the options that repeat it, to the same bytes on the same "
                    "machine with the same number of threads:") +
            "\n" +
            element("pre", escaped("actswap convert --config " +
                                   shell_word(run.folder + "/config.toml"))) +
            "\n" + element("pre", escaped(run.configuration)) + "\n";
  }
  return html;
}

std::string glossary() {
  return description_list({
      {"accuracy", "the share of the examples whose largest logit is that of their class"},
      {"calibration",
       "fits the layers around each site to the original’s values there, without "
       "labels"},
      {"control",
       "the original, trained on with the same data, budget and seed: what the training "
       "alone is worth"},
      {"error of a site",
       "sum |y − y0|² / sum |y0 − mean(y0)|² with y0 the output of the original’s "
       "site: 0 is the same, 1 is as far off as a constant"},
      {"interval",
       "holds the true value in 95 % of such experiments. If the interval of a difference "
       "holds 0, the two may be equal"},
      {"mean loss", "the cross-entropy in nats, or the mean squared error"},
      {"paired",
       "both models are given the same examples (or seeds, or rounds), and the differences "
       "are averaged: effects that both share cancel out"},
      {"points", "percentage points: from 90 % to 91 % is one"},
      {"rate", "the learning rate: the size of a step of the training"},
      {"relative error", "sum |y − y0|² / sum |y0|² with y0 the original’s outputs"},
      {"site",
       "a place where the model applies an activation. Its id is the module’s path, the "
       "method and the place in the method"},
      {"swap", "the new functions in place of the old, all parameters as they were"},
      {"t", "the share of the new function in the blend (1 − t) · old(x) + t · new(x)"},
      {"verified",
       "the file was loaded afresh, and its outputs compared with those of the model in "
       "memory"},
  });
}

}  // namespace actswap::page
