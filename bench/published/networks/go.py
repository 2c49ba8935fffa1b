"""The game of Go as KataGo's networks see it: the rules, the features of a position, games played by a policy."""

import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SIZE = 9
PASS = SIZE * SIZE
KOMI = 7.0
FIRST_KEPT = 4  # moves before the first kept position


def around(y: int, x: int) -> list:
    return [(v, u) for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)) if 0 <= v < SIZE and 0 <= u < SIZE]


class Board:
    def __init__(self):
        self.stones = np.zeros((SIZE, SIZE), np.int8)  # 1: black, -1: white
        self.ko = None  # where the player may not play
        self.moves = []  # None is a pass
        self.turn = 1

    def group(self, y: int, x: int) -> tuple:
        """The stones connected to this one, and their liberties."""
        color = self.stones[y, x]
        waiting, stones, liberties = [(y, x)], {(y, x)}, set()
        while waiting:
            for point in around(*waiting.pop()):
                if self.stones[point] == 0:
                    liberties.add(point)
                elif self.stones[point] == color and point not in stones:
                    stones.add(point)
                    waiting.append(point)
        return stones, liberties

    def play(self, move: int) -> bool:
        """Makes the move if it is legal. @returns whether it is: it may leave no stones without a liberty, nor retake a ko at once"""
        if move == PASS:
            self.next(None, None)
            return True
        point = divmod(move, SIZE)
        if self.stones[point] or self.ko == point:
            return False
        self.stones[point] = self.turn
        captured = set()
        for other in around(*point):
            if self.stones[other] == -self.turn:
                stones, liberties = self.group(*other)
                if not liberties:
                    captured |= stones
        for other in captured:
            self.stones[other] = 0
        stones, liberties = self.group(*point)
        if not liberties:
            self.stones[point] = 0
            return False
        self.next(point, next(iter(captured)) if len(captured) == len(stones) == len(liberties) == 1 else None)
        return True

    def next(self, move: tuple | None, ko: tuple | None) -> None:
        self.moves.append(move)
        self.ko = ko
        self.turn = -self.turn

    @property
    def is_over(self) -> bool:
        return len(self.moves) >= 2 and self.moves[-2:] == [None, None]

    def features(self) -> tuple:
        """KataGo's version 7: 22 planes and 19 numbers, for the player to move. Does not look for ladders."""
        planes, numbers = np.zeros((22, SIZE, SIZE), np.float32), np.zeros(19, np.float32)
        planes[0] = 1
        planes[1], planes[2] = self.stones == self.turn, self.stones == -self.turn
        for y, x in zip(*self.stones.nonzero(), strict=True):
            liberties = len(self.group(int(y), int(x))[1])
            if liberties <= 3:
                planes[2 + liberties, y, x] = 1
        if self.ko:
            planes[6][self.ko] = 1
        for age, move in enumerate(self.moves[-1:-6:-1]):
            if move is None:
                numbers[age] = 1
            else:
                planes[9 + age][move] = 1
        komi = KOMI if self.turn < 0 else -KOMI
        numbers[5] = komi / 20
        numbers[14] = bool(self.moves) and self.moves[-1] is None
        numbers[18] = parity_wave(komi)
        return planes, numbers


def parity_wave(komi: float) -> float:
    """A triangle wave of period 2: how near the komi is to one that allows a draw."""
    floor = math.floor((komi - 1) / 2) * 2 + 1  # a komi that allows a draw on an odd board is odd
    delta = min(2.0, max(0.0, komi - floor))
    return delta if delta < 0.5 else 1 - delta if delta < 1.5 else delta - 2


def positions(policy: Callable, games: int, seed: int, moves: int = 40) -> dict:
    """Positions of games whose moves are drawn by the policy's probabilities: about every third position, in random order.

    Leaves out the first moves, because many games share them.

    policy: planes [N, 22, SIZE, SIZE], numbers [N, 19] -> probabilities [N, PASS + 1]
    """
    generator, chooser = torch.Generator().manual_seed(seed), random.Random(seed)
    boards = [Board() for _ in range(games)]
    kept = []
    for number in range(moves):
        running = [board for board in boards if not board.is_over]
        if not running:
            break
        features = [board.features() for board in running]
        planes, numbers = (torch.from_numpy(np.stack(part)) for part in zip(*features, strict=True))
        for row, (board, probabilities) in enumerate(zip(running, policy(planes, numbers), strict=True)):
            if number >= FIRST_KEPT and chooser.random() < 0.34:
                kept.append((planes[row], numbers[row]))
            any(board.play(move) for move in torch.multinomial(probabilities + 1e-9, 20, generator=generator).tolist())
    order = torch.randperm(len(kept), generator=generator).tolist()
    return {"spatial": stacked(kept, order, 0), "numbers": stacked(kept, order, 1)}


def stacked(kept: list, order: list, column: int) -> Tensor:
    return torch.stack([kept[row][column] for row in order])
