// Files of other kinds: what they are, and how to write what is read.
#include <actswap/data/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace actswap {

namespace {

struct Foreign {
  std::string_view begin;
  std::size_t at;  // where that stands
  const char* what;
};
constexpr std::array<Foreign, 12> kForeign = {{
    {"PAR1", 0,
     "it is a Parquet file; write CSV with Python: import pandas; "
     "pandas.read_parquet('in.parquet').to_csv('out.csv', index=False)"},
    {"ARROW1", 0,
     "it is an Arrow file; write CSV with Python: import pandas; "
     "pandas.read_feather('in.arrow').to_csv('out.csv', index=False)"},
    {"\x89HDF\r\n\x1a\n", 0,
     "it is an HDF5 file; write .npz with Python: import h5py, numpy; "
     "numpy.savez('out.npz', **{k: v[:] for k, v in h5py.File('in.h5').items()})"},
    {"\x28\xb5\x2f\xfd", 0, "it is compressed with zstd; decompress it first: unzstd FILE"},
    {"\xfd"
     "7zXZ",
     0, "it is compressed with xz; decompress it first: unxz FILE"},
    {"BZh", 0, "it is compressed with bzip2; decompress it first: bunzip2 FILE"},
    {"GGUF", 0, "it is a GGUF file, which holds a model and no data"},
    {"SQLite format 3", 0, "it is an SQLite database; write its table as CSV"},
    {"\xff\xd8\xff", 0, "it is a single JPEG image; give the folder that holds the images"},
    {"\x89PNG", 0, "it is a single PNG image; give the folder that holds the images"},
    {"WEBP", 8, "it is a single WebP image; give the folder that holds the images"},
    {"MATLAB 5.0", 0,
     "it is a MATLAB file; write .npz with Python: import numpy, scipy.io; "
     "numpy.savez('out.npz', **{k: v for k, v in scipy.io.loadmat('in.mat').items() if k[0] != "
     "'_'})"},
}};

constexpr const char* kPickle =
    "it is a Python pickle, which is not read since it can hold any program; write tensors with "
    "Python: import pickle, torch; data = pickle.load(open('in.pkl', 'rb')); "
    "torch.save({'x': torch.as_tensor(data[0]), 'y': torch.as_tensor(data[1])}, 'out.pt')";
constexpr const char* kOldFormat =
    "it is of torch.save's old format; write it again with Python: import torch; "
    "torch.save(torch.load('in.pt'), 'out.pt')";

bool is_pickle(std::string_view begin) {
  return begin.size() > 2 && begin[0] == '\x80' && begin[1] >= 2 && begin[1] <= 5;
}

}  // namespace

std::string found_instead(const DataSource& source) {
  if (!source.file) {
    return "it is a folder without images (.jpg, .png, .webp), or folders of them, one for each "
           "class";
  }
  const std::string_view begin = source.begin;
  if (begin.empty()) {
    return "it is empty";
  }
  if (begin.starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")) {
    return kOldFormat;
  }
  if (is_pickle(begin)) {
    return kPickle;
  }
  const auto* found = std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& foreign) {
    return begin.size() > foreign.at && begin.substr(foreign.at).starts_with(foreign.begin);
  });
  return found == kForeign.end() ? "" : found->what;
}

}  // namespace actswap
