// .npy, .npz and safetensors, from files that numpy and safetensors wrote (make_files.py).
#include <actswap/data/load.h>
#include <torch/script.h>

#include "files.h"

namespace {

using actswap::FileError;
using actswap::load_data;
using data_test::all_of;
using data_test::expect_error;
using data_test::kX;
using data_test::kY;
using data_test::stored_file;

class Arrays : public data_test::InFolder {};

TEST_F(Arrays, ReadsEveryTypeAndOrderOfNumpy) {
  struct Case {
    std::string name;
    torch::Tensor expected;
  };
  for (const auto& [name, expected] :
       {Case{"x", kX}, Case{"fortran", kX}, Case{"version2", kX}, Case{"version3", kX},
        Case{"big_endian", kX.to(torch::kFloat64)}, Case{"half", kX.to(torch::kFloat16)},
        Case{"bool", kX > 10}, Case{"uint16", kX.to(torch::kInt32)},
        Case{"complex",
             torch::complex(kX.to(torch::kFloat64), torch::ones({10, 3}, torch::kFloat64))}}) {
    const auto data = load_data(stored_file(name + ".npy"), {"x"});
    const auto example = all_of(*data);
    EXPECT_EQ(example.inputs[0].scalar_type(), expected.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(example.inputs[0], expected)) << name;
    EXPECT_TRUE(example.targets.empty());
    const std::vector<std::int64_t> some = {9, 3, 4, 5, 0};
    EXPECT_TRUE(torch::equal(data->get(some).inputs[0],
                             expected.index_select(0, torch::tensor({9, 3, 4, 5, 0}))))
        << name;
  }
}

TEST_F(Arrays, RefusesByNameWhatIsNoNumber) {
  const auto refused = [](const std::string& name, const std::string& part) {
    expect_error<FileError>([&] { load_data(stored_file(name), {"x"}); }, {name, part});
  };
  refused("objects.npy", "Python objects");
  refused("texts.npy", "type '<U2'");
  refused("records.npy", "several fields");
  const auto large = load_data(stored_file("uint64.npy"), {"x"}, {.limit = 1});
  EXPECT_EQ(all_of(*large).inputs[0].item<std::int64_t>(), 1);
  const auto data = load_data(stored_file("uint64.npy"), {"x"});
  expect_error<FileError>([&] { all_of(*data); }, {"uint64.npy", "2^63"});
}

TEST_F(Arrays, ReadsNamedArrays) {
  for (const auto* name : {"stored.npz", "compressed.npz", "data.safetensors"}) {
    const auto data = load_data(stored_file(name), {"x"}, {.targets = {"y"}});
    const auto example = all_of(*data);
    EXPECT_TRUE(torch::equal(example.inputs[0], kX)) << name;
    EXPECT_TRUE(torch::equal(example.target(), kY)) << name;
  }
  // What cannot be used is no target; the description says so.
  const auto stored = load_data(stored_file("stored.npz"), {"other"});
  EXPECT_EQ(all_of(*stored).targets.size(), 1U);
  EXPECT_NE(stored->description().find("'classes' is left out: it is a scalar"), std::string::npos)
      << stored->description();
  expect_error<FileError>(
      [] { load_data(stored_file("stored.npz"), {"x"}, {.targets = {"classes"}}); },
      {"'classes'", "scalar"});
  const auto flags = load_data(stored_file("data.safetensors"), {"flags"}, {.targets = {"y", "x"}});
  EXPECT_EQ(all_of(*flags).inputs[0].scalar_type(), torch::kBool);
  EXPECT_EQ(all_of(*flags).targets.size(), 2U);
}

// Files of one array each are named by their stems.
TEST_F(Arrays, ReadsAPairOfFiles) {
  std::filesystem::copy_file(stored_file("uint16.npy"), path("y.npy"));
  const auto data = load_data(stored_file("x.npy") + "," + path("y.npy"), {"input"});
  EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], kX));
  EXPECT_EQ(all_of(*data).target().scalar_type(), torch::kInt64);
}

// Whatever the header asks for, the file's size bounds what is read.
TEST_F(Arrays, RefusesAbsurdHeaders) {
  const auto npy = [&](const std::string& header) {
    auto text = header + std::string(117 - header.size() % 16, ' ') + "\n";
    std::string bytes = std::string("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(text.size() & 0xff);
    bytes += static_cast<char>(text.size() >> 8);
    return write("bad.npy", bytes + text + std::string(16, '\0'));
  };
  const auto refused = [&](const std::string& header, const std::string& part) {
    const auto file = npy(header);
    expect_error<FileError>([&] { load_data(file, {"x"}); }, {"bad.npy", part});
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }";
  EXPECT_EQ(load_data(npy(good), {"x"})->size(), 4);
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", "truncated");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "damaged");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }",
          "2^62");
  refused("{'descr': '<f4', 'fortran_order': True, 'shape': (99999999999, 9), }", "truncated");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", "shape");
  refused("{'descr': '<f4', 'fortran_order': Perhaps, 'shape': (4,), }", "True or False");
  refused("{'descr': '<f4', 'shape': (4,), }", "fortran_order");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'x': 1}", "unknown key");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4", "shape");
  refused("{'descr': '", "string");
  const auto safetensors = [&](const std::string& header) {
    std::string bytes(1, static_cast<char>(header.size()));
    return write("bad.safetensors", bytes + std::string(7, '\0') + header + std::string(16, '\0'));
  };
  for (const auto* header :
       {R"({"x":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})",
        R"({"x":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})",
        R"({"x":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})",
        R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})",
        R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})",
        R"({"x":{"dtype":"F32","shape":4,"data_offsets":[0,16]}})", R"({"x":[1]})", R"({"x":)",
        R"({"x":{"dtype":"F4","shape":[4],"data_offsets":[0,16]}})"}) {
    const auto file = safetensors(header);
    expect_error<FileError>([&] { load_data(file, {"x"}); }, {"bad.safetensors"});
  }
}

TEST_F(Arrays, AreNoCrashWhenDamaged) {
  for (const auto* name :
       {"x.npy", "fortran.npy", "stored.npz", "compressed.npz", "data.safetensors"}) {
    const auto whole = data_test::read_bytes(stored_file(name));
    for (std::size_t at = 0; at < whole.size(); at += 11) {
      auto changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 0x81);
      for (const auto& bytes : {changed, whole.substr(0, at)}) {
        const auto file = write("damaged", bytes);
        try {
          all_of(*load_data(file, {"x"}));
        } catch (const actswap::Error&) {
        }
      }
    }
  }
}

// These are not in memory: what is written to the file meanwhile is noticed.
TEST_F(Arrays, StayInTheirFiles) {
  for (const auto* name : {"x.npy", "stored.npz", "data.safetensors", "dict.pt"}) {
    const auto file = std::string(name).ends_with(".pt") ? data_test::model_file("data_dict.pt")
                                                         : stored_file(name);
    std::filesystem::copy_file(file, path(name));
    const auto data = load_data(path(name), {"x"}, {.inputs = {"x"}});
    EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], kX)) << name;
    write(name, "shorter");
    expect_error<FileError>([&] { all_of(*data); }, {name, "changed"});
  }
}

}  // namespace
