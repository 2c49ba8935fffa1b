#!/usr/bin/env python3
"""The judges and tools of bench/published, on cases that are counted by hand. Needs PyTorch; fetches nothing."""

import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

import torch

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path[:0] = [str(BENCH / "published"), str(BENCH)]

import packages  # noqa: E402
import report  # noqa: E402
import rivals  # noqa: E402
from common.process import Failed, run  # noqa: E402
from common.results import Results  # noqa: E402
from methods import LATENCY, METHODS, RIVALS, stages  # noqa: E402
from network import Metric, batches, flat, outputs_of  # noqa: E402
from networks import CASES, go, nudenet, rapidocr  # noqa: E402
from networks.katago import divergence  # noqa: E402
from networks.minilm import neighbours  # noqa: E402


class Detections(unittest.TestCase):
    BOX = torch.tensor([0.0, 0.0, 10.0, 10.0])

    def test_overlap_is_intersection_over_union(self):
        self.assertAlmostEqual(nudenet.overlap(self.BOX, torch.tensor([5.0, 0.0, 15.0, 10.0])), 1 / 3, places=5)
        self.assertEqual(nudenet.overlap(self.BOX, torch.tensor([20.0, 0.0, 30.0, 10.0])), 0)

    def test_f1_counts_each_detection_once_and_only_of_its_class(self):
        twice, other = [(1, self.BOX), (1, self.BOX)], [(2, self.BOX)]
        self.assertEqual(nudenet.f1([twice], [twice]), 1)
        self.assertAlmostEqual(nudenet.f1([twice], [twice[:1]]), 2 / 3)
        self.assertEqual(nudenet.f1([other], [twice[:1]]), 0)
        self.assertEqual(nudenet.f1([[]], [twice]), 0)

    def test_the_better_of_two_that_overlap_stays(self):
        # Two classes, three places: centre and size, then scores.
        outputs = torch.tensor([[[5.0, 5.5, 5.0], [5.0, 5.0, 5.0], [10.0, 10.0, 10.0], [10.0, 10.0, 10.0], [0.9, 0.8, 0.0], [0.0, 0.0, 0.5]]])
        found = nudenet.detections(outputs)[0]
        self.assertEqual([kind for kind, _ in found], [0, 1])
        self.assertEqual(found[0][1].tolist(), [0, 0, 10, 10])


class Reading(unittest.TestCase):
    def test_edit_distance(self):
        for one, other, expected in (("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("ab", "ba", 2)):
            self.assertEqual(rapidocr.edit_distance(one, other), expected)

    def test_blanks_part_equal_characters(self):
        classes = [1, 1, 0, 1, 2, 2, 0]
        outputs = torch.eye(3)[classes][None]
        self.assertEqual(rapidocr.read(outputs, ["", "a", "b"]), ["aab"])


class Rules(unittest.TestCase):
    def play(self, moves: list) -> go.Board:
        board = go.Board()
        for move in moves:
            self.assertTrue(board.play(go.PASS if move is None else move[0] * go.SIZE + move[1]))
        return board

    def test_a_stone_without_liberties_is_captured(self):
        board = self.play([(0, 1), (0, 0), (1, 0)])
        self.assertEqual(board.stones[0, 0], 0)
        self.assertEqual(board.stones[0, 1], 1)

    def test_suicide_is_illegal(self):
        board = self.play([(0, 1), None, (1, 0)])
        self.assertFalse(board.play(0))
        self.assertEqual(board.stones[0, 0], 0)

    def test_a_ko_is_not_retaken_at_once(self):
        # Black takes at (1, 2) the white stone at (1, 1), which stood between black stones.
        board = self.play([(0, 1), (0, 2), (1, 0), (1, 3), (2, 1), (2, 2), None, (1, 1), (1, 2)])
        self.assertEqual(board.stones[1, 1], 0)
        self.assertFalse(board.play(1 * go.SIZE + 1))
        board.play(go.PASS)
        board.play(go.PASS)
        self.assertTrue(board.play(1 * go.SIZE + 1))

    def test_two_passes_end_the_game(self):
        self.assertFalse(self.play([None]).is_over)
        self.assertTrue(self.play([None, None]).is_over)

    def test_features_are_the_players(self):
        planes, numbers = self.play([(4, 4)]).features()
        self.assertEqual(planes[2, 4, 4], 1)  # white is to move, so the stone is the other's
        self.assertEqual(planes[1].sum(), 0)
        self.assertEqual(planes[9, 4, 4], 1)  # the last move
        self.assertAlmostEqual(float(numbers[5]), go.KOMI / 20)


class Outputs(unittest.TestCase):
    def test_divergence(self):
        found = divergence(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([[0.5, 0.5]]).log())
        self.assertAlmostEqual(float(found), 0.5 * math.log(2) + 0.5 * math.log(2 / 3), places=5)

    def test_nobody_is_their_own_neighbour(self):
        found = neighbours(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
        self.assertEqual(found.tolist(), [1, 0, 1])

    def test_bytes_are_images(self):
        (batch,) = batches({"x": torch.full((2, 1), 255, dtype=torch.uint8)}, 2)
        self.assertEqual(batch[0].tolist(), [[1.0], [1.0]])

    def test_outputs_of_all_batches_in_their_order(self):
        inputs = {"x": torch.arange(5.0)[:, None]}
        found = outputs_of(lambda x: (x, (x + 1,)), inputs, 2)
        self.assertEqual([part.flatten().tolist() for part in found], [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
        self.assertEqual(len(flat((torch.zeros(1), (torch.zeros(1),)))), 2)


class Rivals(unittest.TestCase):
    def test_stages_add_up_to_all_sites_in_their_order(self):
        self.assertEqual(stages(list("abcde"), 2), [["a", "b"], list("abcde")])
        self.assertEqual(stages(["a"], 6), [["a"]])

    def test_the_rate_rises_and_falls_to_zero(self):
        self.assertEqual(rivals.rate_at(0), 0)
        self.assertAlmostEqual(rivals.rate_at(0.5), 0.5)
        self.assertAlmostEqual(rivals.rate_at(1), 0)
        self.assertAlmostEqual(rivals.rate_at(1.5), 0)

    def test_what_is_no_number_is_never_chosen(self):
        less, more = Metric("error", 1, less_is_better=True), Metric("accuracy", 1)
        self.assertTrue(rivals.is_better(1.0, 2.0, less))
        self.assertFalse(rivals.is_better(1.0, 2.0, more))
        self.assertFalse(rivals.is_better(math.nan, 2.0, less))
        self.assertFalse(rivals.is_better(None, None, more))
        self.assertTrue(rivals.is_better(1.0, math.nan, more))


class Programs(unittest.TestCase):
    def test_peak_memory_is_the_programs_own(self):
        here = bytearray(300_000_000)
        printed, cost = run([sys.executable, "-S", "-c", "x = bytearray(100_000_000); print(len(x))"], 1)
        self.assertEqual(printed, "100000000\n")
        self.assertGreater(cost.megabytes, 100)
        self.assertLess(cost.megabytes, 150)
        self.assertGreater(len(here), 0)

    def test_no_package_is_none_too_many(self):
        packages.install(())
        packages.debian(())
        with self.assertRaisesRegex(packages.Unavailable, "no-such-wheel==1"), tempfile.TemporaryDirectory() as folder:
            packages.pip(["download", "--no-index", "-d", folder, "no-such-wheel==1"], "no-such-wheel==1")

    def test_every_network_needs_packages_that_have_a_version(self):
        for network, _case in CASES.values():
            self.assertLessEqual(set(network.requires), set(packages.VERSIONS))

    def test_a_failure_has_its_code_and_its_last_line(self):
        with self.assertRaises(Failed) as caught:
            run(["sh", "-c", "echo one >&2; echo error: two >&2; exit 3"], 1)
        self.assertEqual((caught.exception.code, caught.exception.reason), (3, "error: two"))

    def test_results_survive_a_line_that_was_cut_off(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.jsonl"
            path.write_text(json.dumps({"key": 1}) + "\n" + '{"key": 2')
            results = Results(path, lambda row: row["key"])
            results.add({"key": 3})
            results.forget({1})
            self.assertEqual(Results(path, lambda row: row["key"]).done(), {3})


class Report(unittest.TestCase):
    ROWS = [
        {"network": "ani1x", "method": method, "test": dict.fromkeys((metric.name for metric in CASES["ani1x"][0].metrics), value),
         "processor": 50.0, "megabytes": 300, "threads": 1, "processors": 2, "load": 1.0, "commit": "abc", "sites": 96, "forward": 5.0}
        for method, value in (("original", 0.0), ("swap alone", 20.0), ("calibrated", 5.0))
    ]  # fmt: skip

    def written(self, rows: list) -> str:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            report.write(rows, page)
            report.write(rows, page)  # replaces what it wrote
            return page.read_text()

    def test_tables(self):
        text = self.written(self.ROWS)
        self.assertIn("| 20.00 | 5.00 | 75 % |", text)  # three quarters of the loss came back
        self.assertIn("| calibrated | 5.00 | 5.00 | 50 | 10 | 300 |", text)  # ten forward passes
        self.assertEqual(text.count("## What was lost"), 1)
        self.assertNotIn("waited for each core", text)

    def test_failures_are_shown(self):
        failed = {"network": "ani1x", "method": "trained", "error": "a reason", "threads": 1, "processors": 2, "load": 20.0, "commit": "abc"}
        text = self.written([*self.ROWS, failed])
        self.assertIn("| trained | a reason |", text)
        self.assertIn("failed", text)
        self.assertIn("up to 10 waited for each core", text)

    def test_without_results_the_packages_are_listed(self):
        text = self.written([])
        self.assertIn("AGPL-3.0", text)
        self.assertIn("No results yet.", text)

    def test_every_case_decides_by_a_metric_of_its_network(self):
        for network, case in CASES.values():
            self.assertIn(network.deciding(case), network.metrics)
        self.assertEqual(len(set(METHODS)), len(METHODS))
        self.assertTrue(all(not method.startswith(LATENCY) for method in RIVALS))


if __name__ == "__main__":
    unittest.main()
