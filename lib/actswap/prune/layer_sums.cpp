#include <actswap/calibrate/channel_rows.h>
#include <actswap/calibrate/layer_fits.h>
#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/square.h>
#include <actswap/prune/layer_sums.h>

#include <torch/script.h>

#include <limits>
#include <utility>

namespace actswap {

namespace {

// Sum over channels of their variances.
class Variance {
 public:
  void add(const torch::Tensor& values, std::int64_t channel_dim) {
    const auto rows = channel_rows(values, channel_dim).to(torch::kDouble);
    const auto sums = rows.sum(1);
    const auto squares = rows.square().sum(1);
    sums_ = sums_.defined() ? sums_ + sums : sums;
    squares_ = squares_.defined() ? squares_ + squares : squares;
    count_ += static_cast<double>(rows.size(1));
  }
  double sum() const {
    return (squares_ / count_ - (sums_ / count_).square()).clamp_min(0.0).sum().item<double>();
  }

 private:
  double count_ = 0.0;
  torch::Tensor sums_;
  torch::Tensor squares_;
};

// What the affines behind the layer multiply its outputs by: groups x 1 x outputs.
torch::Tensor scale_of(const Layer& layer) {
  const auto outputs = layer.weight.size(0);
  const auto scale = layer.scale.defined() ? layer.scale.to(torch::kDouble).expand({outputs})
                                           : torch::ones({outputs}, torch::kDouble);
  return scale.reshape({layer.geometry.groups, 1, -1});
}

class Sums {
 public:
  Sums(const Layer& layer, bool is_wide)
      : layer_(layer), is_wide_(is_wide), weight_(weight_of_rows(layer, layer.weight)) {
    const auto groups = layer.geometry.groups;
    const auto features = features_of(layer);
    const auto make = [](const std::vector<std::int64_t>& shape) {
      return torch::zeros(shape, torch::kDouble);
    };
    x_ = make({groups, features});
    squares_ = make({groups, features});
    y_ = make({groups, weight_.size(2)});
    if (!is_wide) {
      xx_ = make({groups, features, features});
      xy_ = make({groups, features, weight_.size(2)});
    }
  }

  double count() const { return count_; }

  void add(const LayerRows& rows) {
    const auto& x = rows.x;
    count_ += static_cast<double>(x.size(1));
    x_ += x.sum(1, false, torch::kDouble);
    squares_ += x.square().sum(1, false, torch::kDouble);
    if (is_wide_) {
      return;
    }
    const auto y = torch::bmm(x, weight_) + rows.lacking;
    y_ += y.sum(1, false, torch::kDouble);
    add_square(x, xx_);
    xy_ += torch::bmm(x.transpose(1, 2), y);
  }

  void write_to(LayerSums& sums) {
    const auto scale = scale_of(layer_);
    if (layer_.takes_offset() && count_ > 0.0) {
      const auto mean = (x_ / count_).unsqueeze(2);
      squares_ = (squares_ - x_.square() / count_).clamp_min(0.0);
      if (!is_wide_) {
        xx_.baddbmm_(mean, x_.unsqueeze(1), 1.0, -1.0);
        xy_.baddbmm_(mean, y_.unsqueeze(1), 1.0, -1.0);
      }
    }
    sums.squares = squares_;
    sums.weights = (weight_.to(torch::kDouble) * scale).square().sum(2);
    if (!is_wide_) {
      sums.xx = std::move(xx_);
      sums.xy = xy_.mul_(scale);
    }
  }

 private:
  const Layer& layer_;
  bool is_wide_;
  torch::Tensor weight_;  // groups x features x outputs
  double count_ = 0.0;
  torch::Tensor x_;
  torch::Tensor y_;
  torch::Tensor squares_;
  torch::Tensor xx_;
  torch::Tensor xy_;
};

}  // namespace

LayerSums layer_sums(BothModels& models, const Layer& layer, bool is_wide) {
  LayerSums found;
  Sums sums(layer, is_wide);
  Variance variance;
  RowDraw draw(layer, rows_for(layer), models.batches());
  for (std::size_t batch = 0; batch < models.batches(); ++batch) {
    const auto values = layer_values(models, layer, batch);
    if (!has_batch(layer, values.input)) {
      return {};
    }
    const auto channels = channel_rows(values.input, layer.channel_dim());
    const auto least = channels.amin(1);
    const auto most = channels.amax(1);
    found.least = found.least.defined() ? torch::minimum(found.least, least) : least;
    found.most = found.most.defined() ? torch::maximum(found.most, most) : most;
    variance.add(values.original, layer.channel_dim());
    draw.draw(values, [&](const LayerRows& rows) {
      if (!rows.is_held_out) {  // where there are few, they are given both ways
        sums.add(rows);
      }
    });
  }
  sums.write_to(found);
  found.whole = sums.count() * variance.sum();
  if (!(found.whole > 0.0)) {  // always the same: it loses nothing
    found.whole = std::numeric_limits<double>::max();
  }
  return found;
}

}  // namespace actswap
