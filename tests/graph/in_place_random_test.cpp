// Random programs full of views, lists, branches, loops and calls, with activations in place among
// them. Each activation is a celu with an alpha of its own, so that the source text with the
// swapped ones exchanged for relu_ is the oracle.
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>

#include <random>

#include "models.h"

namespace actswap {
namespace {

class Program {
 public:
  explicit Program(std::uint32_t seed) : random_(seed) {
    body_ = "  many: List[Tensor] = [x * 0.5]\n";
    for (const char* name : kNames) {
      body_ += std::string("  ") + name + " = x * " + std::to_string(pick(9) + 1) + ".0\n";
    }
    block(2, 6);
    body_ += "  return (" + name() + " + " + name() + ", " + name() + ", many[0] + many[-1])\n";
  }

  /// With the activations exchanged that have these alphas.
  Model model(const std::set<std::string>& exchanged = {}) const {
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    const auto child = make_module(unit, "Child",
                                   "def same(self, x: Tensor) -> Tensor:\n  return x\n"
                                   "def keep(self, many: List[Tensor], x: Tensor) -> Tensor:\n"
                                   "  many.append(x)\n  return many[0]\n"
                                   "def both(self, x: Tensor) -> Tuple[Tensor, Tensor]:\n"
                                   "  return (x.view([4, 6]), x * 0.5)\n"
                                   "def act(self, x: Tensor) -> Tensor:\n" +
                                       exchange("  return torch.celu_(x, 0.25)\n", exchanged));
    auto root =
        make_module(unit, "Root", "def forward(self, x: Tensor):\n" + exchange(body_, exchanged),
                    {{"child", child}});
    root.eval();
    return adopt(root);
  }

  const std::string& text() const { return body_; }

 private:
  static constexpr const char* kNames[] = {"a", "b", "c", "d"};

  static std::string exchange(std::string text, const std::set<std::string>& alphas) {
    const std::string call = "torch.celu_(";
    for (auto at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
      const auto comma = text.find(", ", at);
      const auto end = text.find(')', comma);
      if (alphas.contains(text.substr(comma + 2, end - comma - 2))) {
        text.replace(comma, end - comma, "");
        text.replace(at, call.size(), "torch.relu_(");
      }
    }
    return text;
  }

  int pick(int count) { return std::uniform_int_distribution<>(0, count - 1)(random_); }
  std::string name() { return kNames[pick(4)]; }

  std::string act(const std::string& value) {
    alpha_ += 0.5;
    std::string alpha = std::to_string(alpha_);
    return "torch.celu_(" + value + ", " + alpha.substr(0, alpha.find('.') + 2) + ")";
  }

  std::string expression() {
    const auto value = name();
    switch (pick(16)) {
      case 0:
        return value + " * 0.5";
      case 1:
        return value + " + " + name();
      case 2:
        return value + ".view([4, 6])";
      case 3:
        return "torch.dropout(" + value + ", 0.5, False)";
      case 4:
        return value + ".t().t()";
      case 5:
        return value + "[0:4]";
      case 6:
        return "many[" + std::to_string(pick(2) - 1) + "]";
      case 7:
        return "self.child.same(" + value + ")";
      case 8:
        return "self.child.keep(many, " + value + ")";
      case 9:
        return "self.child.act(" + value + ")";
      case 10:
        return value;
      case 11:
        return value + ".add_(0.5)";
      default:
        return act(value);
    }
  }

  void block(int indent, int lines) {
    const std::string space(indent, ' ');
    for (int i = 0; i < lines; ++i) {
      switch (indent < 6 ? pick(12) : 11) {
        case 0:
          body_ += space + "if x.size(0) > " + std::to_string(pick(2) * 9) + ":\n";
          block(indent + 2, 2);
          body_ += space + "else:\n";
          block(indent + 2, 2);
          break;
        case 1:
          body_ += space + "for i" + std::to_string(indent) + " in range(3):\n";
          block(indent + 2, 3);
          break;
        case 2:
          body_ += space + "many.append(" + name() + ")\n";
          break;
        case 3:
          body_ += space + name() + ", " + name() + " = self.child.both(" + name() + ")\n";
          break;
        case 4: {
          const auto first = name();
          body_ += space + "u, v = " + first + ".chunk(2, 1)\n" + space + "u = " + act("u") + "\n" +
                   space + name() + " = torch.cat([u, v], 1)\n";
          break;
        }
        default:
          body_ += space + name() + " = " + expression() + "\n";
      }
    }
  }

  std::mt19937 random_;
  double alpha_ = 0.5;
  std::string body_;
};

std::vector<torch::Tensor> outputs_of_program(const torch::jit::Module& module) {
  torch::manual_seed(1);
  return outputs_of(module, {torch::randn({4, 6})});
}

std::size_t programs() {
  const char* given = std::getenv("ACTSWAP_RANDOM_PROGRAMS");  // for more by hand
  return given == nullptr ? 60 : std::stoul(given);
}

TEST(InPlaceRandom, ProgramsComputeWhatTheirSourceWithOtherFunctionsDoes) {
  std::size_t swapped = 0;
  std::size_t stay = 0;
  for (std::size_t seed = 0; seed < programs(); ++seed) {
    const Program program(static_cast<std::uint32_t>(seed));
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + program.text());
    const auto model = program.model();
    const auto the_plan = plan(model, {});
    std::set<std::string> exchanged;
    std::string kept;
    for (const auto& planned : the_plan.sites) {
      std::string alpha = std::to_string(planned.site.activation.parameters.at(0));
      alpha = alpha == "0.250000" ? "0.25" : alpha.substr(0, alpha.find('.') + 2);
      if (planned.target) {
        exchanged.insert(alpha);
      } else {
        kept += alpha + ": " + planned.reason + "\n";
        ++stay;
      }
    }
    swapped += exchanged.size();
    if (exchanged.empty()) {
      continue;
    }
    Retargeter retargeter(model, the_plan);
    EXPECT_EQ(largest_difference(outputs_of_program(retargeter.module()),
                                 outputs_of_program(model.module)),
              0.0)
        << kept;
    retargeter.set_blend(1.0);
    const auto expected = outputs_of_program(program.model(exchanged).module);
    EXPECT_EQ(largest_difference(outputs_of_program(retargeter.finish()), expected), 0.0) << kept;
    if (HasFailure()) {
      return;  // one is enough to look at
    }
  }
  std::cout << swapped << " swapped, " << stay << " stay\n";
  EXPECT_GT(swapped, programs() / 2);
  EXPECT_GT(stay, programs() / 2);
}

}  // namespace
}  // namespace actswap
