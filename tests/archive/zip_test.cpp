#include <actswap/archive/zip.h>
#include <actswap/base/error.h>
#include <caffe2/serialize/inline_container.h>

#include <gtest/gtest.h>

#include "models.h"
#include "zip_writer.h"

namespace actswap {
namespace {

const Entries kEntries = {{"data.pkl", "abc"}, {"data/0", std::string(100, 'x')}};

std::string damage_of(const std::string& bytes) {
  try {
    const ZipArchive archive(bytes, "a.pt");
    for (const auto& [name, record] : archive.records()) {
      archive.check(record);
    }
  } catch (const FileError& error) {
    return error.what();
  }
  return "sound";
}

void expect_damage(const std::string& bytes, const std::string& part) {
  const auto message = damage_of(bytes);
  EXPECT_NE(message.find("'a.pt'"), std::string::npos) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// A number in the directory's entry of the record, at a place in it.
std::string with_number(std::string bytes, std::size_t entry, std::size_t place,
                        std::uint32_t value) {
  std::size_t at = 0;
  for (std::size_t i = 0; i <= entry; ++i) {
    at = bytes.find("PK\x01\x02", i == 0 ? 0 : at + 1);
  }
  return bytes.replace(at + place, 4, little_endian(value, 4));
}

TEST(Zip, ReadsWhatLibTorchReads) {
  for (const auto& model : test_models()) {
    const ZipArchive archive(model.path);
    caffe2::serialize::PyTorchStreamReader reader(model.path);
    const auto names = reader.getAllRecords();
    EXPECT_EQ(archive.records().size(), names.size()) << model.name;
    for (const auto& name : names) {
      const auto* record = archive.find(name);
      ASSERT_NE(record, nullptr) << name;
      const auto [data, size] = reader.getRecord(name);
      EXPECT_EQ(archive.read(*record), std::string(static_cast<const char*>(data.get()), size));
    }
  }
}

TEST(Zip, ReadsWhatTheTestsWrite) {
  EXPECT_EQ(damage_of(zip_of(kEntries)), "sound");
  EXPECT_EQ(damage_of(zip_of({})), "sound");
}

TEST(Zip, RefusesAWrongChecksum) {
  auto bytes = zip_of(kEntries);
  bytes[bytes.find("xxx")] = 'y';
  expect_damage(bytes, "checksum of its record 'data/0' is wrong");
}

// torch.serialization.set_crc32_options(False)
TEST(Zip, TakesAnArchiveWithoutChecksums) {
  auto bytes = zip_of(kEntries);
  for (std::size_t entry = 0; entry < kEntries.size(); ++entry) {
    bytes = with_number(bytes, entry, 16, 0);
  }
  EXPECT_EQ(damage_of(bytes), "sound");
  expect_damage(with_number(bytes, 0, 16, 1), "checksum of its record");
}

TEST(Zip, RefusesATruncatedFile) {
  const auto bytes = zip_of(kEntries);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(damage_of(bytes.substr(0, size)), "sound") << size;
  }
}

TEST(Zip, RefusesADamagedDirectory) {
  const auto bytes = zip_of(kEntries);
  expect_damage(with_number(bytes, 1, 42, 1), "'data/0' is not where");
  expect_damage(with_number(bytes, 1, 42, 0), "'data/0' is not the one at the place");
  expect_damage(with_number(bytes, 1, 20, 1 << 20), "reaches beyond the end of the file");
  expect_damage(with_number(bytes, 1, 24, 1000), "has two sizes");
  expect_damage(with_number(bytes, 0, 8, 1), "encrypted");
  expect_damage(bytes + "x", "does not end where the file does");
  expect_damage("x" + bytes, "not where it should be");
}

TEST(Zip, RefusesRecordsThatAreThereTwice) {
  expect_damage(zip_of({{"a", "1"}, {"a", "2"}}), "'a' is there twice");
}

// Compressed sizes that no compression reaches: a reader would take memory for them.
TEST(Zip, RefusesMoreThanCompressedBytesCanHold) {
  auto bytes = zip_of(kEntries);
  const auto local = bytes.find("PK\x03\x04", 1);
  bytes.replace(local + 8, 2, little_endian(8, 2));
  bytes = with_number(bytes, 1, 10, 8);
  expect_damage(with_number(bytes, 1, 24, 0x7fffffff), "more than 100 compressed ones can");
  expect_damage(with_number(bytes, 1, 24, 1000), "cannot be decompressed");
}

TEST(Zip, RefusesRecordsThatOverlap) {
  const auto bytes = zip_of({{"a", std::string(40, 'x')}, {"b", "1"}});
  // The first record's bytes are said to reach into the second.
  const auto longer = with_number(with_number(bytes, 0, 20, 80), 0, 24, 80);
  expect_damage(longer, "overlap");
}

}  // namespace
}  // namespace actswap
