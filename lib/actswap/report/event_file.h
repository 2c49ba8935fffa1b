// TensorBoard's event file of a run: TFRecords of Event messages.
#pragma once

#include <actswap/base/export.h>
#include <actswap/report/recorded_run.h>

#include <string>

namespace actswap {

/// The name that TensorBoard looks for.
inline constexpr const char* kEventFile = "events.out.tfevents.actswap";

/// Scalars: PHASE/loss, PHASE/t, PHASE/learning_rate and PHASE/check of each training (curves_of);
/// metric/NAME of the original, the swap alone and so on; layer_error/NAME (step 0 before the
/// calibration, 1 after), site_error/ID (step 0 after the swap alone, 1 in the exported model).
/// Also the options of the training with the metrics, for the hparams tab.
///
/// A TFRecord is the length of its data (uint64), the masked CRC of that, the data, and their
/// masked CRC (uint32 each), all little-endian, with
///   masked(crc) = (crc >> 15 | crc << 17) + 0xa282ead8,   crc: CRC-32C (Castagnoli)
ACTSWAP_API std::string event_file(const RecordedRun& run);

/// Writes it into the run's folder. @throws FileError
ACTSWAP_API void write_event_file(const RecordedRun& run);

}  // namespace actswap
