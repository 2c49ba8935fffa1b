#include <actswap/base/libtorch_error.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

const std::string kAccount =
    "The following operation failed in the TorchScript interpreter.\n"
    "Traceback of TorchScript, serialized code (most recent call last):\n"
    "  File \"code/__torch__.py\", line 9, in forward\n"
    "    if torch.ne(torch.size(x, 0), 4):\n"
    "      ops.prim.RaiseException(\"expected 4 rows\", \"builtins.ValueError\")\n"
    "      ~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE\n"
    "    else:\n"
    "      pass\n"
    "\n"
    "Traceback of TorchScript, original code (most recent call last):\n"
    "  File \"model.py\", line 64, in forward\n"
    "        if x.size(0) != 4:\n"
    "            raise ValueError(\"expected 4 rows\")\n"
    "            ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE\n"
    "        return F.silu(self.l(x))\n";

TEST(LibtorchCause, WhatTheModelRaised) {
  EXPECT_EQ(libtorch_cause(kAccount + "builtins.ValueError: expected 4 rows\n"),
            "ValueError: expected 4 rows");
  EXPECT_EQ(libtorch_cause(kAccount + "mine.errors.TooWide: 7: too wide\nand more"),
            "mine.errors.TooWide: 7: too wide");
}

TEST(LibtorchCause, WhatAnOperatorSaid) {
  EXPECT_EQ(libtorch_cause(kAccount + "RuntimeError: self must be a matrix\n"),
            "self must be a matrix");
  EXPECT_EQ(libtorch_cause(kAccount + "\nRuntimeError: self must be a matrix"),
            "self must be a matrix");
}

TEST(LibtorchCause, WithoutItsDevelopersPart) {
  EXPECT_EQ(libtorch_cause("[enforce fail at inline_container.cc:145] . failed finding central "
                           "directory\nframe #0: abc"),
            "failed finding central directory");
  EXPECT_EQ(libtorch_cause("\nUnknown builtin op: aten::conv99d.\n  x = 1\n ~~ <--- HERE\n"),
            "Unknown builtin op: aten::conv99d.");
  EXPECT_EQ(libtorch_cause(""), "");
}

}  // namespace
}  // namespace actswap
