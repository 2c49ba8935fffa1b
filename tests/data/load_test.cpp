#include <actswap/data/load.h>
#include <torch/script.h>

#include <sys/resource.h>

#include <limits>

#include "files.h"

namespace {

using actswap::DataOptions;
using actswap::FileError;
using actswap::load_data;
using actswap::UsageError;
using data_test::all_of;
using data_test::expect_error;
using data_test::idx_of_bytes;
using data_test::kX;
using data_test::kY;
using data_test::model_file;

class LoadData : public data_test::InFolder {
 protected:
  std::string save(const std::vector<std::pair<std::string, torch::Tensor>>& tensors) const {
    c10::Dict<std::string, torch::Tensor> dict;
    for (const auto& [name, tensor] : tensors) {
      dict.insert(name, tensor);
    }
    const auto bytes = torch::jit::pickle_save(dict);
    return write("dict.pt", {bytes.begin(), bytes.end()});
  }
};

TEST_F(LoadData, ScalesImagesAndGivesThemAChannel) {
  const auto spec = write("i.idx", idx_of_bytes({3, 2, 2})) + "," + write("l", idx_of_bytes({3}));
  const auto data = load_data(spec, {"x"});
  ASSERT_EQ(all_of(*data).inputs.size(), 1U);
  const auto expected = torch::arange(12).reshape({3, 1, 2, 2}).to(torch::kFloat32) / 255;
  EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], expected));
  EXPECT_EQ(all_of(*data).target().scalar_type(), torch::kInt64);
  EXPECT_TRUE(torch::equal(all_of(*data).target(), torch::arange(3)));

  const auto normal = load_data(spec, {"x"}, {.mean = {0.5}, .deviation = {0.25}});
  EXPECT_TRUE(torch::allclose(all_of(*normal).inputs[0], (expected - 0.5) / 0.25));
  const auto unlabelled = load_data(path("i.idx"), {"x"});
  EXPECT_FALSE(all_of(*unlabelled).target().defined());
  EXPECT_TRUE(torch::equal(all_of(*unlabelled).inputs[0], expected));
}

TEST_F(LoadData, NormalisesFloatsPerChannelAndLeavesIntegers) {
  const auto images = torch::rand({4, 3, 2, 2}, torch::kFloat64);
  const auto tokens = torch::arange(8).reshape({4, 2});
  const auto file = save({{"tokens", tokens}, {"images", images}, {"y", torch::rand({4, 1})}});
  const auto data =
      load_data(file, {"images", "tokens"}, {.mean = {0.1, 0.2, 0.3}, .deviation = {1, 2, 4}});
  const auto mean = torch::tensor({0.1, 0.2, 0.3}, torch::kFloat64).reshape({1, 3, 1, 1});
  const auto deviation = torch::tensor({1.0, 2.0, 4.0}, torch::kFloat64).reshape({1, 3, 1, 1});
  EXPECT_EQ(all_of(*data).inputs[0].scalar_type(), torch::kFloat64);
  EXPECT_TRUE(torch::allclose(all_of(*data).inputs[0], (images - mean) / deviation));
  EXPECT_TRUE(torch::equal(all_of(*data).inputs[1], tokens));
  EXPECT_EQ(all_of(*data).target().scalar_type(), torch::kFloat32);
}

TEST_F(LoadData, ReadsEachKindOfTensorFile) {
  for (const auto* name : {"data_dict.pt", "data_tuple.pt"}) {
    const auto data = load_data(model_file(name), {"input"});
    EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], kX)) << name;
    EXPECT_TRUE(torch::equal(all_of(*data).target(), kY)) << name;
    EXPECT_EQ(data->size(), 10);
  }
  const auto alone = load_data(model_file("data_tensor.pt"), {"input"});
  EXPECT_TRUE(torch::equal(all_of(*alone).inputs[0], kX));
  EXPECT_FALSE(all_of(*alone).target().defined());
}

TEST_F(LoadData, MatchesArgumentsByNameBeforeOrder) {
  const auto a = torch::rand({2});
  const auto b = torch::rand({2});
  const auto c = torch::rand({2});
  const auto file = save({{"a", a}, {"b", b}, {"c", c}});
  const auto check = [&](const std::vector<std::string>& arguments, const DataOptions& options,
                         const std::vector<torch::Tensor>& inputs, const torch::Tensor& target) {
    const auto data = load_data(file, arguments, options);
    ASSERT_EQ(all_of(*data).inputs.size(), inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(torch::equal(all_of(*data).inputs[i], inputs[i])) << i;
    }
    ASSERT_EQ(all_of(*data).target().defined(), target.defined());
    EXPECT_TRUE(!target.defined() || torch::equal(all_of(*data).target(), target));
  };
  check({"c", "b"}, {}, {c, b}, a);
  check({"c", "b", "missing"}, {}, {c, b}, a);
  check({"p", "q"}, {}, {a, b}, c);
  check({"c", "b", "a"}, {}, {c, b, a}, {});
  check({"p"}, {.inputs = {"b", "c"}}, {b, c}, a);
  check({"p"}, {.targets = {"a"}}, {b}, a);
  check({"a", "b"}, {.targets = {"b"}}, {a}, b);
  check({"p"}, {.inputs = {"c"}, .targets = {"a"}}, {c}, a);
  const std::vector<std::string> ambiguous = {"--inputs", "--target"};
  expect_error<UsageError>([&] { load_data(file, {"p", "q", "r"}); }, ambiguous);
  expect_error<UsageError>([&] { load_data(file, {"a", "p", "c"}); }, ambiguous);
  expect_error<UsageError>([&] { load_data(file, {"p"}, {.inputs = {"a", "a"}}); }, {"twice"});
  expect_error<FileError>([&] { load_data(file, {"p"}, {.inputs = {"z"}}); }, {"'z'", "a, b, c"});
  expect_error<FileError>([&] { load_data(file, {"p"}, {.targets = {"z"}}); }, {"'z'", "a, b, c"});
}

TEST_F(LoadData, SeveralTargetsKeepTheirOrder) {
  const auto a = torch::rand({3});
  const auto b = torch::arange(3).to(torch::kUInt8);
  const auto c = torch::rand({3, 2});
  const auto file = save({{"a", a}, {"b", b}, {"c", c}});
  const auto check = [&](const DataOptions& options, const std::vector<torch::Tensor>& targets) {
    const auto data = load_data(file, {"c"}, options);
    ASSERT_EQ(all_of(*data).targets.size(), targets.size());
    const std::vector<std::int64_t> indices = {2, 0};
    const auto example = data->get(indices);
    ASSERT_EQ(example.targets.size(), targets.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      EXPECT_TRUE(torch::equal(all_of(*data).targets[i], targets[i])) << i;
      EXPECT_TRUE(
          torch::equal(example.targets[i], targets[i].index_select(0, torch::tensor({2, 0}))));
    }
    EXPECT_TRUE(torch::equal(example.target(), example.targets[0]));
  };
  check({}, {a, b.to(torch::kInt64)});
  check({.targets = {"b", "a"}}, {b.to(torch::kInt64), a});
  check({.targets = {"b"}}, {b.to(torch::kInt64)});
  check({.targets = {"b", "a"}, .limit = 3}, {b.to(torch::kInt64), a});
  const auto uneven = save({{"x", torch::rand({3})}, {"y", a}, {"z", torch::rand({4})}});
  expect_error<FileError>([&] { load_data(uneven, {"x"}); }, {"'z'", "4", "3"});
}

TEST_F(LoadData, RefusesSizesThatDiffer) {
  const auto file = save({{"x", torch::rand({10, 3})}, {"y", torch::arange(7)}});
  // Also with a limit, which would make them equal.
  for (const std::int64_t limit : {0, 5}) {
    expect_error<FileError>([&] { load_data(file, {"x"}, {.limit = limit}); }, {"7", "10"});
  }
  const auto pair = write("i.idx", idx_of_bytes({3, 2, 2})) + "," + write("l", idx_of_bytes({4}));
  expect_error<FileError>([&] { load_data(pair, {"x"}); }, {"4", "3"});
  const auto scalar = save({{"x", torch::tensor(1.0)}});
  expect_error<FileError>([&] { load_data(scalar, {"x"}); }, {"scalar"});
}

TEST_F(LoadData, TakesTheFirstExamples) {
  const auto data = load_data(model_file("data_dict.pt"), {"x"}, {.limit = 4});
  EXPECT_EQ(data->size(), 4);
  EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], kX.slice(0, 0, 4)));
  EXPECT_TRUE(torch::equal(all_of(*data).target(), kY.slice(0, 0, 4)));
  EXPECT_EQ(load_data(model_file("data_dict.pt"), {"x"}, {.limit = 99})->size(), 10);
}

TEST_F(LoadData, RefusesOptionsThatMakeNoSense) {
  const auto file = model_file("data_dict.pt");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refuse = [&](const DataOptions& options, const std::string& what) {
    expect_error<UsageError>([&] { load_data(file, {"x"}, options); }, {what});
  };
  refuse({.deviation = {0}}, "--deviation");
  refuse({.deviation = {nan}}, "--deviation");
  refuse({.mean = {nan}}, "--mean");
  refuse({.mean = {1, 2}}, "one value or 3");
  refuse({.limit = -1}, "--limit");
  refuse({.mean = {1}, .inputs = {"y"}, .targets = {"x"}}, "integer inputs only");
  const auto idx = write("i.idx", idx_of_bytes({3, 2, 2}));
  expect_error<FileError>([&] { load_data(idx, {"x"}, {.targets = {"y"}}); }, {"'y'", "holds i"});
  expect_error<UsageError>([&] { load_data(idx + ",", {"x"}); }, {"paths with commas"});
  refuse({.images = {.resize = {32}}}, "--resize");
  refuse({.images = {.interpolation = actswap::Interpolation::bicubic}}, "--interpolation");
}

// Files of one tensor each: by the model's arguments, otherwise in order.
TEST_F(LoadData, ReadsSeveralFilesByTheirNames) {
  const auto ids = write("ids.idx", idx_of_bytes({3, 2}));
  const auto mask = write("mask.idx", idx_of_bytes({3}));
  const auto labels = write("labels.idx", idx_of_bytes({3, 1}));
  const auto sizes = [](const std::vector<torch::Tensor>& tensors) {
    std::vector<std::int64_t> found;
    for (const auto& tensor : tensors) {
      found.push_back(tensor.dim());
    }
    return found;
  };
  const auto spec = labels + "," + mask + "," + ids;
  const auto named = all_of(*load_data(spec, {"ids", "mask"}));
  EXPECT_EQ(sizes(named.inputs), std::vector<std::int64_t>({2, 1}));
  ASSERT_EQ(named.targets.size(), 1U);
  EXPECT_EQ(named.targets[0].dim(), 2);
  const auto two = all_of(*load_data(ids + "," + mask, {"ids", "mask"}));
  EXPECT_EQ(two.inputs.size(), 2U);
  EXPECT_TRUE(two.targets.empty());
  const auto pair = all_of(*load_data(ids + "," + mask, {"a", "b"}));
  EXPECT_EQ(pair.inputs.size(), 1U);
  EXPECT_EQ(pair.targets.size(), 1U);
}

// {0..2}: the examples follow each other, and come in any order.
TEST_F(LoadData, ReadsShardsOneAfterTheOther) {
  for (const int shard : {8, 9, 10}) {
    const auto name = std::string(shard < 10 ? "0" : "") + std::to_string(shard);
    const auto bytes = torch::jit::pickle_save(
        c10::ivalue::Tuple::create({torch::full({shard, 2}, shard), torch::arange(shard)}));
    write("part-" + name + ".pt", {bytes.begin(), bytes.end()});
  }
  const auto data = load_data(path("part-{08..10}.pt"), {"x"});
  EXPECT_EQ(data->size(), 27);
  const std::vector<std::int64_t> indices = {26, 0, 8, 7, 16};
  const auto some = data->get(indices);
  EXPECT_TRUE(torch::equal(some.inputs[0].select(1, 0), torch::tensor({10, 8, 9, 8, 9})));
  EXPECT_TRUE(torch::equal(some.target(), torch::tensor({9, 0, 0, 7, 8})));
  expect_error<FileError>([&] { load_data(path("part-{08..11}.pt"), {"x"}); }, {"part-11.pt"});
  expect_error<UsageError>([&] { load_data(path("part-{3..1}.pt"), {"x"}); }, {"{3..1}"});
}

// WebDataset's sets have more shards than a process may have open files by default.
TEST_F(LoadData, ReadsMoreShardsThanFilesMayBeOpen) {
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto before = limit;
  limit.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto bytes = data_test::read_bytes(data_test::stored_file("x.npy"));
  for (int shard = 0; shard < 100; ++shard) {
    write("part-" + std::to_string(shard) + ".npy", bytes);
  }
  EXPECT_EQ(load_data(path("part-{0..99}.npy"), {"x"})->size(), 1000);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

// A class that one set lacks would give the others other numbers there.
TEST_F(LoadData, ClassesOfTwoSetsAreTheSame) {
  const auto table = [&](const std::string& name, const std::vector<std::string>& classes) {
    std::string text = "x,y\n";
    for (const auto& kind : classes) {
      text += "1," + kind + "\n";
    }
    return load_data(write(name, text), {"a"});
  };
  const auto three = table("three.csv", {"b", "a", "c", "a"});
  const auto same = table("same.csv", {"c", "b", "a"});
  const auto two = table("two.csv", {"a", "c"});
  const auto numbers = table("numbers.csv", {"0", "1"});
  actswap::check_same_classes(three.get(), same.get(), "training and validation");
  actswap::check_same_classes(three.get(), numbers.get(), "training and validation");
  actswap::check_same_classes(three.get(), nullptr, "training and validation");
  expect_error<UsageError>(
      [&] { actswap::check_same_classes(three.get(), two.get(), "training and validation"); },
      {"training and validation", "3 and 2", "'b'"});
}

TEST_F(LoadData, SaysHowItReads) {
  const auto spec = write("i.idx", idx_of_bytes({3, 2, 2})) + "," + write("l", idx_of_bytes({3}));
  EXPECT_EQ(load_data(spec, {"x"})->description(),
            "3 examples; input 'i' 1 x 2 x 2 (uint8 / 255, not normalised); target 'l' (int64)");
  EXPECT_EQ(load_data(spec, {"x"}, {.mean = {0.5}, .deviation = {0.25}})->description(),
            "3 examples; input 'i' 1 x 2 x 2 (uint8 / 255, less 0.5, divided by 0.25); target 'l' "
            "(int64)");
}

TEST_F(LoadData, NamesTheFileThatIsWrong) {
  const auto idx = write("i.idx", idx_of_bytes({3, 2, 2}));
  expect_error<FileError>([&] { load_data(path("none.pt"), {"x"}); }, {path("none.pt")});
  expect_error<FileError>([&] { load_data(idx + "," + path("none"), {"x"}); }, {path("none")});
  expect_error<FileError>([&] { load_data("", {"x"}); }, {"no such file"});
  const auto empty = save({});
  expect_error<FileError>([&] { load_data(empty, {"x"}); }, {empty, "no tensors"});
}

}  // namespace
