#!/usr/bin/env python3
"""A decoder of the `exe` delta codec, version `Q`, written from FORMAT.md alone.

    exe_decoder.py OLD DELTA NEW [LIMIT]

makes the file NEW out of the file OLD and a delta, or says in one line what is wrong with the delta and exits
with 1. LIMIT is the largest size that the caller wants of NEW (2^30 without it). Sections here are those of
FORMAT.md, and so are the names in them. `none` of the specification is None.
"""

import hashlib
import sys
import zlib
from bisect import bisect_left, bisect_right, insort
from functools import lru_cache
from operator import mul
from pathlib import Path
from typing import Any, Callable, NamedTuple

TRAINED = Path(__file__).resolve().parents[2] / "patcher/delta/src/trained.bin"


# ---------------------------------------------------------------------------------------------- 1 Notation

M32 = 0xffffffff
M64 = 0xffffffffffffffff


class Refused(Exception):
    """What is wrong with a delta (section 17)."""


def clamp(x, low, high):
    """`x`, but not outside of low..high (section 1)."""
    return low if x < low else high if x > high else x


def rotate(a, n):
    """`a <<< n`: 32 bits of `a` rotated left (section 1)."""
    n &= 31
    return (a << n | a >> (32 - n)) & M32


def sext8(byte):
    """Eight bits, sign extended to 32 (section 1)."""
    return byte | 0xffffff00 if byte & 0x80 else byte


def sext16(half):
    """Sixteen bits, sign extended to 32 (section 1)."""
    return half | 0xffff0000 if half & 0x8000 else half


def u16(data, at):
    """The 16-bit number at a position, 0 if it does not lie whole in the file (section 1)."""
    return data[at] | data[at + 1] << 8 if at + 2 <= len(data) else 0


def u32(data, at):
    """The 32-bit number at a position, 0 if it does not lie whole in the file (section 1)."""
    return int.from_bytes(data[at:at + 4], "little") if at + 4 <= len(data) else 0


def put(data, at, value, size):
    """Write the low `size` bytes of a number, if they fit (section 1)."""
    if at + size <= len(data):
        data[at:at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def table_size(n):
    """The number of elements of a table "of n": the next power of two (section 1)."""
    return 1 << (n - 1).bit_length()


def hash32(a, b):
    """`hash(a, b)` (section 1)."""
    b = b * 0x85ebca6b & M32
    m = (a * 0x9e3779b1 ^ (b << 13 | b >> 19)) & M32
    m = (m ^ m >> 15) * 0xc2b2ae35 & M32
    return m ^ m >> 13


def range_of(n):
    """`range(n)`: small numbers as they are, larger ones in 7 steps (section 1)."""
    return n if n < 8 else 7 + bisect_right((8, 12, 16, 32, 64, 256, 1024), n)


# --------------------------------------------------------------------------------------------- 2 The delta

RICH, DANS = 0x68636952, 0x536e6144


def read_head(delta):
    """The CRC that the head of a delta states, and its stream (section 2)."""
    if not delta or delta[0] != ord("Q"):
        raise Refused("unknown format: the first byte is not Q")
    if len(delta) < 3:
        raise Refused("truncated: the head has three bytes")
    return u16(delta, 1), delta[3:]


def find_rich(data):
    """(start, end, key) of the Rich header of a file, or None (section 2, Rich header)."""
    header_at = u32(data, 0x3c)
    if data[:2] != b"MZ" or len(data) < 0x40 or header_at > 0x1000:
        return None
    words = range(0x40, max(header_at - 4, 0), 4)
    end = max((at for at in words if u32(data, at) == RICH), default=None)
    if end is None:
        return None
    key = u32(data, end + 4)
    start = next((at for at in range(0x40, end, 4) if u32(data, at) ^ key == DANS), None)
    return None if start is None else (start, end, key)


def right_key(data, start, end):
    """The key that an unmasked Rich header should have (section 2, Rich header)."""
    key = start + sum(rotate(data[at], at) for at in range(start) if at & ~3 != 0x3c)
    key += sum(rotate(u32(data, at), u32(data, at + 4)) for at in range(start + 16, end, 8))
    return key & M32


def mask_rich(data, start, end, key, stated):
    """`mask(k, stated)` of the words of a Rich header (section 2, Rich header)."""
    for at in range(start, end, 4):
        put(data, at, u32(data, at) ^ key, 4)
    put(data, end + 4, stated, 4)


def unmask_rich(data):
    """Unmask the Rich header of the old file, if it can be masked again (section 2, Rich header)."""
    found = find_rich(data)
    if found and found[2] != 0:
        start, end, key = found
        mask_rich(data, start, end, key, 0)
        if right_key(data, start, end) != key:
            mask_rich(data, start, end, key, key)


def mask_rich_again(data):
    """Mask the Rich header of the new file (section 2, Rich header)."""
    found = find_rich(data)
    if found:
        start, end, key = found
        right = right_key(data, start, end)
        mask_rich(data, start, end, key ^ right, right)


# -------------------------------------------------------------------------------------- 3 Arithmetic coder

class Coder:
    """The arithmetic decoder of one stream (section 3)."""

    def __init__(self, stream):
        self.stream = stream
        self.taken = 4
        self.low, self.high = 0, M32
        self.x = int.from_bytes(stream[:4].ljust(4, b"\0"), "big")

    def decide(self, p):
        """A decision, 1 or 0, that is 1 with probability p / 65536 (section 3)."""
        low, high = self.low, self.high
        split = low + ((high - low) * p >> 16)
        if self.x <= split:
            yes, high = 1, split
        else:
            yes, low = 0, split + 1
        while low >> 24 == high >> 24:
            low = low << 8 & M32
            high = (high << 8 | 0xff) & M32
            byte = self.stream[self.taken] if self.taken < len(self.stream) else 0
            self.x = (self.x << 8 | byte) & M32
            self.taken += 1
        self.low, self.high = low, high
        return yes

    def check_end(self):
        """Refuse a stream that does not end as it must (section 3, The end)."""
        rest = self.stream[self.taken - 4:]
        if len(rest) > 4:
            raise Refused("trailing bytes: the stream goes on behind its end")
        if self.stream and self.stream[-1] == 0:
            raise Refused("trailing bytes: the stream's last byte is 0")
        ending = self.low
        for below in (0xffffff, 0xffff, 0xff):
            rounded = self.low + below & ~below
            if rounded <= self.high:
                ending = rounded
                break
        if rest.ljust(4, b"\0") != ending.to_bytes(4, "big"):
            raise Refused("truncated: the stream does not end as its decisions do")


# ------------------------------------------------------------------------- 4 Model: logistic domain, counters

LIMIT = 2815

POINTS = (
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615,
    64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489,
    65500, 65508, 65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535,
)


def squash(x):
    """The probability, in 1/65536, of a logistic number, in 1/256 (section 4, Logistic domain)."""
    i, r = divmod(min(abs(x), LIMIT), 64)
    s = (POINTS[i] * (64 - r) + POINTS[i + 1] * r + 32) // 64
    return 65536 - s if x < 0 else s


def make_stretch():
    """`stretch` of every p, by p >> 4 (section 4, Logistic domain)."""
    squashed = [squash(x) for x in range(-LIMIT, LIMIT + 1)]
    return [min(bisect_left(squashed, p * 16 + 8) - LIMIT, LIMIT) for p in range(4096)]


STRETCH = make_stretch()
CERTAIN = (1 << 22) - 1
RECIPROCAL = [655360 // (10 * n + 16) for n in range(501)]


class Counters:
    """A table of counters: of each 22 bits of probability, and how much it saw (section 4, Counter)."""

    def __init__(self, ps, ns):
        self.q = [p << 6 for p in ps]
        self.n = list(ns)
        self.mask = len(self.q) - 1

    @classmethod
    def alike(cls, size, p, n):
        """`size` times `Counter(p, n)`."""
        return cls([p] * size, [n] * size)

    def p(self, i):
        """The probability of counter i, in 1/65536."""
        return self.q[i] >> 6 or 1

    def learn(self, i, happened, limit):
        """Counter i learns what happened. No clamp is needed: a step is always less than the whole way."""
        q, n = self.q[i], self.n[i]
        self.q[i] = q + (((CERTAIN if happened else 0) - q) * RECIPROCAL[n] >> 16)
        if n < limit:
            self.n[i] = n + 1


# --------------------------------------------------------------------------------- 4 Model: bit histories

CAP = (48, 16, 9, 7, 6, 6, 6) + (0,) * 50
FORGET = (0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6) + (6,) * 40


def after(state, yes):
    """The bit history (no, yes, yes_last) behind one more decision (section 4, Bit histories)."""
    same, other = (state[1], state[0]) if yes else (state[0], state[1])
    same += 1
    if other > 2:
        other = FORGET[other]
    while same > CAP[other] or other > CAP[same]:
        if same > CAP[other]:
            same -= 1
        else:
            other -= 1
    return (other, same, other > 0) if yes else (same, other, False)


def number_states():
    """All bit histories, breadth first, and what follows each on no, on yes (section 4, Bit histories)."""
    states, follows = [(0, 0, False)], []
    for state in states:
        for yes in (0, 1):
            if after(state, yes) not in states:
                states.append(after(state, yes))
        follows.append(tuple(states.index(after(state, yes)) for yes in (0, 1)))
    return states, follows


STATES, AFTER = number_states()
WEIGHT = [no + yes for no, yes, _ in STATES]
FIRST_PROBABILITY = [
    clamp((10 * yes + 3) * 65536 // (10 * (no + yes) + 6), 64, 65472) for no, yes, _ in STATES
] + [32768] * (256 - len(STATES))


# ------------------------------------------------------------------------------------------ 4 Model: slots

class Slots:
    """The bit histories of all contexts: slots of a check and 15 states, by prefix (section 4, Slots)."""

    def __init__(self):
        self.make_anew(16)

    def make_anew(self, bits):
        """An empty table of 2^bits bytes."""
        self.cells = bytearray(1 << bits)
        self.mask = (1 << bits >> 4) - 1

    def find(self, h):
        """Where the slot of a hash begins in `cells`; it may have to be taken from another one."""
        cells = self.cells
        check = h >> 24 or 1
        place = h & self.mask
        best, least = 0, 1 << 32
        for slot in (place, place ^ 1, place ^ 2):
            at = slot << 4
            if cells[at] == check:
                return at
            if cells[at] == 0:
                best = at
                break
            weight = WEIGHT[cells[at + 1]]
            if weight < least:
                best, least = at, weight
        cells[best:best + 16] = bytes((check,)) + bytes(15)
        return best


# ------------------------------------------------------------------------- 4 Model: weights and refinement

class Weights:
    """The sets of weights of one selector (section 4, Weights)."""

    def __init__(self, size, first):
        self.sets = [list(first) for _ in range(size)]
        self.uses = [0] * size
        self.mask = size - 1

    def dot(self, chosen, inputs):
        """What the chosen set makes of the inputs."""
        total = sum(map(mul, inputs, [weight >> 3 for weight in self.sets[chosen]]))
        return clamp(total >> 13, -LIMIT, LIMIT)

    def learn(self, chosen, inputs, dot, decision):
        """The chosen set learns the decision, of which it made `dot`."""
        self.uses[chosen] = uses = min(self.uses[chosen] + 1, 0xffff)
        rate = 14 + 600 // (min(uses, 1023) + 15)
        err = ((decision << 16) - squash(dot) >> 4) * rate >> 3
        weights = [w + (x * err + 4096 >> 13) for w, x in zip(self.sets[chosen], inputs)]
        if max(weights) > 262136 or min(weights) < -262136:
            weights = [clamp(w, -262136, 262136) for w in weights]
        self.sets[chosen] = weights


class Refinement:
    """Rows of 33 counters that correct a probability (section 4, Refinement)."""

    def __init__(self, rows):
        points = [squash(i * 176 - 2816) for i in range(33)] * rows
        points += [0] * (table_size(len(points)) - len(points))
        self.counters = Counters(points, [0] * len(points))

    def refine(self, row, x, p):
        """A better probability than p, and the counter that will learn the decision."""
        point, past = divmod(x + LIMIT, 176)
        past = past * 256 // 176
        mask = self.counters.mask
        a, b = row * 33 + point & mask, row * 33 + point + 1 & mask
        mean = self.counters.p(a) * (256 - past) + self.counters.p(b) * past >> 8
        return 5 * p + 3 * mean >> 3, (b if past > 128 else a)

    def learn(self, counter, decision):
        """The counter that `refine` named learns."""
        self.counters.learn(counter, decision, 120)


# -------------------------------------------------------------------------------------- 4 Model: predictor

class Shape(NamedTuple):
    """The shape of a class of symbols (section 5)."""
    number: int
    bits: int
    contexts: int
    expectations: int
    selectors: tuple
    directs: tuple
    refinements: int = 0
    hinted: bool = False


class Predictor:
    """What predicts, decodes and learns the symbols of one class (section 4, Predictor)."""

    def __init__(self, shape, coder, slots):
        self.coder, self.slots, self.shape = coder, slots, shape
        self.salt = 32 * shape.number + 1
        self.meanings = [Counters(FIRST_PROBABILITY, [6] * 256) for _ in range(shape.contexts)]
        self.trust = [Counters.alike(2048, 60000, 2) for _ in range(shape.expectations)]
        self.directs = [Counters.alike(values << shape.bits, 32768, 0) for values in shape.directs]
        first = [11796, 3276] * shape.contexts + [19660, 0] * shape.expectations + [0, 0]
        first += [19660, 0] * shape.hinted + [19660, 0] * len(shape.directs)
        self.padding = [0] * (-len(first) % 8)
        self.selectors = [Weights(sets, first + self.padding) for sets in shape.selectors]
        row = [65536 // len(shape.selectors)] * 3
        self.final = [list(row) for _ in range(table_size(3 * shape.bits))]
        rows = shape.refinements * shape.bits * 3
        self.refinement = Refinement(rows) if rows else None

    def hashes(self, contexts):
        """The hashes of contexts, told as pairs of numbers (section 4, Predictor)."""
        return [hash32(hash32(a, b), i) for i, (a, b) in enumerate(contexts, self.salt)]

    def symbol(self, bits, contexts, expectations=(), select=(), count=(), refine=0, hint=None):
        """Decode a symbol of so many bits, by the evidence for it (section 4, Predictor).

        `expectations` are pairs (symbol or None, circumstances); `hint` gives the two inputs of a hint for
        a node.
        """
        cells = self.slots.cells
        find = self.slots.find
        hashes = self.hashes(contexts)
        expected = [symbol for symbol, _ in expectations]
        chosen = [n & weights.mask for n, weights in zip(select, self.selectors)]
        node = 1
        for done in range(bits):
            left = bits - 1 - done
            # 1: the slots of a nibble
            if done == 0 or left % 4 == 3:
                slots = [find(hash32(h, node) if done else h) for h in hashes]
                prefix = 1
            places = [slot + prefix for slot in slots]
            # 2: the inputs
            trusted = [
                None if symbol is None else ((circumstances << 1 | (done > 0)) & 2047, symbol >> left & 1)
                for symbol, (_, circumstances) in zip(expected, expectations)
            ]
            counted = [(c << self.shape.bits) + node - 1 & t.mask for c, t in zip(count, self.directs)]
            inputs = self.inputs(cells, places, trusted, counted, hint(node) if hint else ())
            # 3: the decision
            kind = trusted[0][1] if trusted and trusted[0] else 2
            final = self.final[done * 3 + kind]
            dots = [weights.dot(n, inputs) for weights, n in zip(self.selectors, chosen)]
            mixed = clamp(sum(map(mul, dots, final)) >> 16, -LIMIT, LIMIT)
            p = plain = squash(mixed)
            if self.refinement:
                row = (refine * 3 + kind) * self.shape.bits + done
                p, refined = self.refinement.refine(row, mixed, plain)
            bit = self.coder.decide(clamp(p, 24, 65512))
            # 4: learning
            err = (bit << 16) - plain >> 4
            for i, (weights, n, dot) in enumerate(zip(self.selectors, chosen, dots)):
                weights.learn(n, inputs, dot, bit)
                final[i] = clamp(final[i] + (dot * err * 2 + 8192 >> 14), -262144, 262144)
            if self.refinement:
                self.refinement.learn(refined, bit)
            for place, meaning in zip(places, self.meanings):
                state = cells[place]
                if state:
                    meaning.learn(state, bit, 250)
                cells[place] = AFTER[state][bit]
            for i, told in enumerate(trusted):
                if told:
                    self.trust[i].learn(told[0], told[1] == bit, 250)
                    # 5: what was wrong is refuted
                    if told[1] != bit:
                        expected[i] = None
            for direct, i in zip(self.directs, counted):
                direct.learn(i, bit, 250)
            node = node << 1 | bit
            prefix = prefix << 1 | bit
        return node - (1 << bits)

    def inputs(self, cells, places, trusted, counted, hint):
        """The inputs of a decision, two of each evidence (section 4, Predictor, 2)."""
        inputs = []
        for place, meaning in zip(places, self.meanings):
            state = cells[place]
            if state:
                p = meaning.q[state] >> 6 or 1
                inputs += STRETCH[p >> 4], p - 32768 >> 5
            else:
                inputs += 0, 0
        for told, trust in zip(trusted, self.trust):
            if told is None:
                inputs += 0, 0
            elif told[1]:
                inputs += STRETCH[trust.p(told[0]) >> 4], 256
            else:
                inputs += -STRETCH[trust.p(told[0]) >> 4], -256
        inputs += 256, 0
        inputs += hint
        for direct, i in zip(self.directs, counted):
            p = direct.p(i)
            inputs += STRETCH[p >> 4], p - 32768 >> 6
        return inputs + self.padding

    def decision(self, contexts, **evidence):
        """Decode a symbol of one bit (section 4, Predictor)."""
        return self.symbol(1, contexts, **evidence)

    def teach(self, contexts, symbol, bits):
        """Tell the slots of the first three contexts of a symbol (section 4, Teaching)."""
        cells = self.slots.cells
        find = self.slots.find
        for h in self.hashes(contexts[:3]):
            node = 1
            for done in range(bits):
                left = bits - 1 - done
                if done == 0 or left % 4 == 3:
                    slot = find(hash32(h, node) if done else h)
                    prefix = 1
                bit = symbol >> left & 1
                cells[slot + prefix] = AFTER[cells[slot + prefix]][bit]
                node = node << 1 | bit
                prefix = prefix << 1 | bit


# ----------------------------------------------------------------------------------------------- 5 Classes

SHAPES = {
    "Hit": Shape(0, 1, 6, 0, (2048, 256, 256), (2048, 1024, 256, 4096, 64), 256),
    "Operation": Shape(1, 2, 4, 0, (512,), (512, 1024)),
    "Jump": Shape(2, 3, 5, 0, (64,), (64,)),
    "Number": Shape(3, 6, 3, 0, (128,), (128,)),
    "Form": Shape(4, 2, 4, 0, (64,), (64, 1024)),
    "Byte": Shape(5, 8, 14, 2, (2048, 1024), (32,), 1),
    "Instruction": Shape(6, 8, 14, 2, (2048, 1024, 256), (32,), 128),
    "Word": Shape(7, 8, 10, 3, (2048, 1024, 1024), (64,), 128),
    "Candidate": Shape(8, 1, 4, 0, (8192, 512), (8192, 8192), 4096),
    "Address": Shape(9, 8, 7, 4, (256, 64), (128,), hinted=True),
    "Distance": Shape(10, 8, 7, 2, (256,), (2,)),
}


# ------------------------------------------------------------------------------ 6 Flags, blocks and numbers

FLAGS = {
    "SameHeaders": (0, 10), "Regenerate": (1, 10), "LowRelocations": (2, 10), "Prime": (3, 10),
    "Checksum": (4, 10), "Plain": (5, 10), "SameSize": (6, 10), "Rich": (7, 10),
    "JumpFromEnd of data": (16, 60), "JumpFromEnd of code": (17, 60),
    "Backward on i386": (50, 60), "Backward on Alpha": (51, 60), "Paired": (60, 400),
}


class Model:
    """All that predicts, and the coder of the stream (sections 4 to 7)."""

    def __init__(self, stream):
        self.coder = Coder(stream)
        self.slots = Slots()
        self.classes = {name: Predictor(shape, self.coder, self.slots) for name, shape in SHAPES.items()}
        self.flags = Counters.alike(64, 32768, 0)
        self.blocks = Counters.alike(512, 60000, 4)
        start_trained(self)

    def __getitem__(self, name):
        """The predictor of a class."""
        return self.classes[name]

    def flag(self, name):
        """Decode a flag (section 6)."""
        i, limit = FLAGS[name]
        yes = self.coder.decide(clamp(self.flags.p(i), 32, 65504))
        self.flags.learn(i, yes, limit)
        return yes

    def block(self, situation):
        """Decode a block decision (section 6)."""
        yes = self.coder.decide(clamp(self.blocks.p(situation), 16, 65520))
        self.blocks.learn(situation, yes, 400)
        return yes

    def number(self, kind, recent):
        """Decode a number: its length in bits, then its bits (section 6)."""
        predictor = self.classes["Number"]
        length = predictor.symbol(
            5, [(1, kind), (2, kind), (3, kind << 8 | recent & 15)], select=[kind], count=[kind])
        number, left = 1, length
        while left > 0:
            first = left == length
            take = min(left, 4 if first else 6)
            if first or left <= 6:
                contexts = [
                    (4 + length, kind << 8 | first),
                    (5, hash32(kind, hash32(number, length))),
                    (6, kind << 6 | left),
                ]
                part = predictor.symbol(take, contexts, select=[kind + 64], count=[kind | 64])
            else:
                part = 0
                for _ in range(take):
                    part = part << 1 | self.coder.decide(32768)
            number = number << take | part
            left -= take
        return number - 1


# ----------------------------------------------------------------------------------------- 7 Trained start

class TrainedStream:
    """One stream of the trained start, with its own 1024 counters (section 7)."""

    def __init__(self, stream):
        self.coder = Coder(stream)
        self.counters = Counters.alike(1024, 32768, 0)

    def decide(self, i):
        """A decision of counter i."""
        yes = self.coder.decide(clamp(self.counters.p(i), 16, 65520))
        self.counters.learn(i, yes, 500)
        return yes

    def bits(self, k, n):
        """A number of n bits, with the counters of kind k."""
        node = 1
        for _ in range(n):
            node = node << 1 | self.decide(256 * (k + 1) + node)
        return node - (1 << n)

    def tell_counters(self, table):
        """Tell those counters of a table that do not begin as all do."""
        before = 0
        for i in range(len(table.q)):
            told = self.decide(before)
            before = (before << 1 | told) & 3
            if told:
                level = self.bits(0, 6)
                table.q[i] = squash((level - 32) * 88) << 6
                table.n[i] = (2, 6, 14, 30)[self.bits(1, 2)]
        for i in range(4):
            self.counters.q[i], self.counters.n[i] = 32768 << 6, 0

    def weights(self, n):
        """n weights, or None if they are not told."""
        return [self.bits(2, 8) - 128 << 10 for _ in range(n)] if self.decide(4) else None

    def tell_selector(self, selector):
        """Tell the weights with which all sets of a selector begin."""
        told = self.weights(len(selector.sets[0]))
        if told:
            selector.sets = [list(told) for _ in selector.sets]
            selector.uses = [30] * len(selector.uses)

    def tell_predictor(self, predictor):
        """Tell all that a stream of a class holds."""
        for table in predictor.meanings + predictor.trust + predictor.directs:
            self.tell_counters(table)
        for selector in predictor.selectors:
            self.tell_selector(selector)
        predictor.final = [self.weights(3) or row for row in predictor.final]


def start_trained(model):
    """Begin the predictors, flags and blocks as the trained table says (section 7)."""
    trained = TRAINED.read_bytes()
    digest = hashlib.sha256(trained).hexdigest()
    if digest != "35ead1792cd49edbea6d7f1faf165774e62cc007f96a4ba00c583d90bdbbfd61":
        raise RuntimeError(f"{TRAINED} is not the table of this version")
    streams = []
    begin = 28
    for i in range(12):
        end = begin + u16(trained, 4 + 2 * i)
        streams.append(TrainedStream(trained[begin:end]))
        begin = end
    *of_classes, last = streams
    for stream, predictor in zip(of_classes, model.classes.values()):
        stream.tell_predictor(predictor)
    last.tell_counters(model.flags)
    last.tell_counters(model.blocks)
    for stream in streams:
        stream.coder.check_end()


# ------------------------------------------------------------------------------------------------ 8 Images

I386, ALPHA = 0x14c, 0x184                      # machines
IN_DATA, IN_I386, IN_ALPHA = 0, 1, 2            # instruction sets of regions
EXCEPTIONS, RELOCATIONS = 3, 5                  # directories


class Section(NamedTuple):
    """A section of an image that has bytes in the file (section 8)."""
    address: int
    offset: int
    size: int
    virtual_size: int
    is_code: bool

    def holds(self, address):
        """Whether an address is in the section, in memory."""
        return address - self.address & M32 < max(self.size, self.virtual_size)

    def spans(self, position):
        """Whether a position is in the section, in the file."""
        return 0 <= position - self.offset < self.size


class Image(NamedTuple):
    """The headers of an image (section 8)."""
    header_at: int
    headers: int
    machine: int
    stamp: int
    base: int
    size: int
    directories: tuple
    sections: tuple

    def directory(self, n):
        """(address, size) of directory n."""
        return self.directories[n] if n < len(self.directories) else (0, 0)

    def offset(self, address):
        """The position of what is at an address, or None."""
        for section in self.sections:
            if address - section.address & M32 < section.size:
                return section.offset + (address - section.address & M32)
        return address if address < self.headers else None

    def address(self, position):
        """The address of what is at a position, or None."""
        for section in self.sections:
            if section.spans(position):
                return section.address + (position - section.offset) & M32
        return position if position < self.headers else None

    def section_of(self, address):
        """The number of the first section that holds an address, or None."""
        return next((i for i, section in enumerate(self.sections) if section.holds(address)), None)


def read_sections(data, at, count, size):
    """The sections of a section table that have bytes in a file of some size (section 8)."""
    sections = []
    for header in range(at, at + 40 * count, 40):
        virtual_size, address, in_file, offset = (u32(data, header + field) for field in (8, 12, 16, 20))
        if in_file and offset < size:
            in_file = min(in_file, size - offset)
            is_code = u32(data, header + 36) & 0x20000020 != 0
            sections.append(Section(address, offset, in_file, virtual_size or in_file, is_code))
    return tuple(sorted(sections, key=lambda section: section.offset))


def read_image(data, size):
    """`read(bytes, size)`: the image that a file, or its headers alone, begin with, or None (section 8)."""
    header_at = u32(data, 0x3c)
    if data[:2] != b"MZ" or len(data) < 0x40 or header_at >= min(size, 1 << 30):
        return None
    if header_at + 88 > len(data):
        return None
    headers = min(u32(data, header_at + 84), size)
    if len(data) < headers:
        return None
    data = bytes(data[:headers])
    if header_at + 120 > headers or u32(data, header_at) != 0x4550 or u16(data, header_at + 24) != 0x10b:
        return None
    table = header_at + 24 + u16(data, header_at + 20)
    count = u16(data, header_at + 6)
    if count > 96 or table + 40 * count > headers:
        return None
    sections = read_sections(data, table, count, size)
    end = headers
    for section in sections:
        if section.offset < end:
            return None
        end = section.offset + section.size
    first, most = header_at + 120, u32(data, header_at + 116)
    directories = tuple(
        (u32(data, at), u32(data, at + 4)) for at in range(first, headers - 7, 8) if (at - first) // 8 < most)
    return Image(
        header_at, headers, machine=u16(data, header_at + 4), stamp=u32(data, header_at + 8),
        base=u32(data, header_at + 52), size=u32(data, header_at + 80), directories=directories,
        sections=sections)


# -------------------------------------------------------------------------------------- 8 Images: regions

class Region(NamedTuple):
    """A part of a file, of one instruction set (section 8, Regions)."""
    start: int
    end: int
    isa: int = IN_DATA
    number: int | None = None
    section: Section | None = None


def isa_of(image, section):
    """The instruction set of a section (section 8, Regions)."""
    if section.is_code and image.machine == I386:
        return IN_I386
    if section.is_code and image.machine == ALPHA and (section.offset | section.address) & 3 == 0:
        return IN_ALPHA
    return IN_DATA


def regions_of(image, size):
    """All regions of a file, in order (section 8, Regions)."""
    if image is None:
        return [Region(0, size)] if size else []
    regions = [Region(0, image.headers)]
    for number, section in enumerate(image.sections):
        regions.append(Region(regions[-1].end, section.offset))
        end = section.offset + section.size
        regions.append(Region(section.offset, end, isa_of(image, section), number, section))
    regions.append(Region(regions[-1].end, size))
    return [region for region in regions if region.start < region.end]


class File:
    """A file with its image (or None), regions, pointers and halves (section 8)."""

    def __init__(self, data, image):
        self.data, self.image, self.size = data, image, len(data)
        self.regions = regions_of(image, len(data))
        self.starts = [region.start for region in self.regions]
        self.base = image.base if image else 0
        self.sections = image.sections if image else ()
        self.image_size = image.size if image else 0
        self.pointers = set()
        self.high_halves = {}                   # positions, and parameters or None
        self.low_halves = set()
        self.items = {}                         # those that `item` has already made

    def region_at(self, position):
        """The region at a position, or None."""
        if position >= self.size:
            return None
        return self.regions[bisect_right(self.starts, position) - 1]

    def offset(self, address):
        """The position of what is at an address, or None."""
        return self.image.offset(address) if self.image else None

    def address(self, position):
        """The address of what is at a position, or None."""
        return self.image.address(position) if self.image else None

    def section_of(self, address):
        """The number of the section that holds an address, or None."""
        return self.image.section_of(address) if self.image else None


# ------------------------------------------------- 8 Images: base relocations, pointers and halves

LOW_RELOCATION, HIGHLOW, HIGHADJ = 2, 3, 4


def base_relocations(file):
    """All (kind, address, parameter) of the table of base relocations (section 8, Base relocations)."""
    address, size = file.image.directory(RELOCATIONS)
    at = file.offset(address)
    if at is None:
        return
    data = file.data
    end = min(at + size, file.size)
    while end - at >= 8 and 8 <= u32(data, at + 4) <= end - at:
        page, block_end = u32(data, at), at + u32(data, at + 4)
        at += 8
        while block_end - at >= 2:
            entry = u16(data, at)
            kind = entry >> 12
            at += 2
            parameter = 0
            if kind == HIGHADJ and block_end - at >= 2:
                parameter = u16(data, at)
                at += 2
            if kind != 0:
                yield kind, page + (entry & 0xfff) & M32, parameter
        at = block_end


def find_pointers_and_halves(file):
    """Note the pointers, high and low halves of an image (section 8, Pointers and halves)."""
    data, image = file.data, file.image
    bare, low_relocations = True, False
    for kind, address, parameter in base_relocations(file):
        bare = False
        low_relocations |= kind == LOW_RELOCATION
        at = file.offset(address)
        region = None if at is None else file.region_at(at)
        if region is None or region.section is None or region.end - at < 4:
            continue
        word = u32(data, at)
        whole = region.isa == IN_ALPHA and at % 4 == 0
        if kind == HIGHLOW:
            if word - file.base & M32 < (image.size + 0x1000 & M32) and (region.isa != IN_ALPHA or whole):
                file.pointers.add(at)
        elif kind == HIGHADJ and whole and word >> 26 == LDAH:
            file.high_halves[at] = parameter
        elif kind == LOW_RELOCATION and whole and has_base(word):
            file.low_halves.add(at)
    if image.machine == ALPHA:
        for region in file.regions:
            if region.isa == IN_ALPHA:
                pair_halves(file, region, bare, low_relocations)


def pair_halves(file, region, bare, low_relocations):
    """Find the halves of an Alpha region that no relocation tells (section 8, Pointers and halves)."""
    data = file.data
    for at in range(region.start, region.end - 3, 4):
        word = u32(data, at)
        if bare:
            is_high = word >> 26 == LDAH and rb(word) == 31
        else:
            is_high = not low_relocations and at in file.high_halves
        low = consumer(data, at, region.end) if is_high else None
        if low is None:
            continue
        if bare:
            target = (word << 16) + sext16(u16(data, low)) - file.base & M32
            if not 0x1000 <= target < file.image.size:
                continue
            file.high_halves[at] = None
        file.low_halves.add(low)
    for at in range(region.start, region.end - 3, 4):
        if at in file.low_halves and producer(data, at, region.start, file.high_halves) is None:
            file.low_halves.discard(at)


# ---------------------------------------------------------------------------------------- 8 Images: marks

class Marks:
    """Ranges of the old image of which much is known: (start, end, class) (section 8, Marks)."""

    def __init__(self, file):
        self.size = file.size
        self.ranges = []
        marks = find_marks(file.data, file.image) if file.image else []
        for start, end, mark in sorted(marks):
            if start < end <= file.size and (not self.ranges or start >= self.ranges[-1][1]):
                self.ranges.append((start, end, mark))
        self.starts = [start for start, _, _ in self.ranges]
        self.unique = [(start, end) for start, end, mark in self.ranges if mark in (143, 146)]

    def class_at(self, at):
        """`class(at)`: that of the range over a position, or 0."""
        i = bisect_right(self.starts, at) - 1
        return self.ranges[i][2] if i >= 0 and at < self.ranges[i][1] else 0

    def next_unique(self, at):
        """The first position from `at` on that nothing else tells, or the file's size."""
        return next((max(start, at) for start, end in self.unique if at < end), self.size)


def find_marks(data, image):
    """All marks of an image, not sorted (section 8, Marks)."""
    head = image.header_at
    table = head + 24 + u16(data, head + 20)
    marks = [(head + 2 * w, head + 2 * w + 2, 1 + min(w, 125)) for w in range((table - head) // 2)]
    for header in range(table, table + 40 * u16(data, head + 6), 40):
        marks += [(header + 4 * w, header + 4 * w + 4, 128 + w) for w in range(10)]

    def directory(n):
        """`dir(n)`: (position, size), or None."""
        at = head + 120 + 8 * n
        address = u32(data, at)
        position = image.offset(address) if address else None
        return None if position is None else (position, u32(data, at + 4))

    def mark(at, *ranges):
        """Add ranges (from, to, class) relative to a position."""
        marks.extend((min(at + start, M32), min(at + end, M32), number) for start, end, number in ranges)

    exports, resources, debug = directory(0), directory(2), directory(6)
    if exports:
        mark(exports[0], (4, 8, 140))
    if debug:
        for entry in range(debug[0], debug[0] + 28 * min(debug[1] // 28, 8), 28):
            mark(entry, (4, 8, 140), (16, 20, 141), (20, 28, 142))
            kind, size, record = (u32(data, entry + field) for field in (12, 16, 24))
            if kind == 2 and u32(data, record) == 0x53445352:
                mark(record, (4, 20, 143), (20, 24, 144), (24, size, 145))
            elif kind == 2:
                mark(record, (8, 12, 140), (12, 16, 144), (24, size, 145))
            elif kind == 16:
                mark(record, (0, size, 146))
    if resources:
        start, size = resources
        end = min(start + size, len(data))
        words = range(start, end - 3, 4)
        at = next((at for at in words if data[at:at + 4] == b"\xbd\x04\xef\xfe"), None)
        if at is not None and at + 52 <= end:
            mark(at, (8, 24, 150), (44, 52, 151), (52, min(1500, end - at), 152))
    return marks


# --------------------------------------------------------------------- 9 Instructions and items: references

ABSOLUTE, RELATIVE32, RELATIVE8, RVA, BRANCH, HIGH, LOW = range(1, 8)
REFERENCE_BYTES = (0, 4, 4, 1, 4, 4, 2, 2)
RELATIVE = (RELATIVE32, RELATIVE8, BRANCH)


class Reference(NamedTuple):
    """A reference of the new file, and what it is associated with in the old one (sections 9 and 11)."""
    at: int
    form: int
    twin: int | None = None                     # the position of a twin, or of a likeness
    alike: bool = False                         # whether it is a likeness


def branch_distance(word):
    """The distance of a branch of Alpha (section 9, References)."""
    word &= 0x1fffff
    return (word - 0x200000 if word & 0x100000 else word) << 2 & M32


def target_of(file, at, form, region_start, region_end):
    """The target of a reference at a position of a known file (section 9, References)."""
    if file.image is None:
        return 0
    data = file.data
    if form == RVA:
        return u32(data, at)
    if form == ABSOLUTE:
        return u32(data, at) - file.base & M32
    if form in RELATIVE:
        here = file.address(at) or 0
        if form == RELATIVE32:
            return here + 4 + u32(data, at) & M32
        if form == RELATIVE8:
            return here + 1 + sext8(data[at] if at < file.size else 0) & M32
        return here + 4 + branch_distance(u32(data, at)) & M32
    if form == HIGH:
        high, low = u32(data, at), file.high_halves.get(at)
        if low is None:
            place = consumer(data, at, region_end)
            low = 0 if place is None else u16(data, place)
    else:
        place, low = producer(data, at, region_start, file.high_halves), u16(data, at)
        high = 0 if place is None else u32(data, place)
    return (high << 16) + sext16(low) - file.base & M32


def write_reference(file, at, form, target):
    """Write a reference to a target (section 9, References)."""
    data = file.data
    here = file.address(at) or 0
    distance = target - (here + REFERENCE_BYTES[form]) & M32
    absolute = target + file.base & M32
    if form == ABSOLUTE:
        put(data, at, absolute, 4)
    elif form == RELATIVE32:
        put(data, at, distance, 4)
    elif form == RELATIVE8:
        put(data, at, distance, 1)
    elif form == RVA:
        put(data, at, target, 4)
    elif form == BRANCH:
        put(data, at, u32(data, at) & ~0x1fffff | distance >> 2 & 0x1fffff, 4)
    elif form == HIGH:
        put(data, at, absolute + 0x8000 >> 16, 2)
    else:
        put(data, at, absolute, 2)


# -------------------------------------------------------------------------- 9 Instructions and items: items

BYTE, POINTER, INSTRUCTION, RVA_ITEM, STAMP = range(5)      # kinds of items


class Layout:
    """Where an instruction has what; 0 for what it does not have (section 9, i386)."""
    __slots__ = ("length", "opcode", "map", "modrm", "displacement", "displacement_bytes",
                 "immediate", "immediate_bytes", "relative")

    def __init__(self, length=0, opcode=0):
        self.length, self.opcode = length, opcode
        self.map = self.modrm = self.relative = 0
        self.displacement = self.displacement_bytes = 0
        self.immediate = self.immediate_bytes = 0


class Item:
    """An instruction, or a piece of data (section 9, Items)."""
    __slots__ = ("kind", "length", "references", "layout", "body")

    def __init__(self, kind, raw, references=(), layout=Layout()):
        self.kind, self.length, self.references, self.layout = kind, len(raw), references, layout
        self.body = body_of(raw, references)

    def place_of(self, form):
        """The place of the first reference of some form, or None."""
        return next((place for known, place in self.references if known == form), None)

    def hash(self, body):
        """`item_hash` of the item with some body."""
        return item_hash(self.kind, len(self.references), body)


def body_of(raw, references):
    """Bytes of an item as its body: 16 bytes, with zeros in the references (section 9, Items)."""
    body = bytearray(raw.ljust(16, b"\0"))
    for form, place in references:
        if form == BRANCH:
            put(body, place, u32(body, place) & ~0x1fffff, 4)
        else:
            put(body, place, 0, REFERENCE_BYTES[form])
    return bytes(body)


@lru_cache(1 << 16)
def item_hash(kind, references, body):
    """The hash of an item with so many references (section 9, Items)."""
    low, high = (int.from_bytes(half, "little") for half in (body[:8], body[8:]))
    m = (low + (kind * 4 + references + 1 << 56)) * 0x9e3779b97f4a7c15 & M64
    m = (m ^ m >> 29 ^ high) * 0xbf58476d1ce4e5b9 & M64
    return m >> 32


BYTE_ITEMS = [Item(BYTE, bytes((byte,))) for byte in range(256)]


def item_at(file, at, region):
    """`item(file, at, region)` of a known file (section 9, Items)."""
    item = file.items.get(at)
    if item is None:
        make = (data_item, i386_item, alpha_item)[region.isa]
        item = make(file, at, region) or BYTE_ITEMS[file.data[at]]
        if item.kind != BYTE:
            file.items[at] = item
    return item


def pointer_item(file, at):
    """The pointer at a position (section 9, Items)."""
    return Item(POINTER, file.data[at:at + 4], ((ABSOLUTE, 0),))


def data_item(file, at, region):
    """An item of data, None for a byte (section 9, Items, data)."""
    if region.end - at < 4:
        return None
    pointers = file.pointers
    if at in pointers:
        return pointer_item(file, at)
    if region.section is None or (at - region.start) % 4 != 0:
        return None
    if at + 1 in pointers or at + 2 in pointers or at + 3 in pointers:
        return None
    if 0x1000 <= u32(file.data, at) < file.image.size:
        return Item(RVA_ITEM, file.data[at:at + 4], ((RVA, 0),))
    return None


def i386_item(file, at, region):
    """An item of i386 code, None for a byte (section 9, Items, i386)."""
    if at in file.pointers and region.end - at >= 4:
        return pointer_item(file, at)
    code = file.data[at:min(at + 15, region.end)]
    layout, role, _ = decode_i386(code)
    if layout is None or role is not None:
        return None
    references = []
    for place in range(layout.length):
        if at + place in file.pointers:
            in_displacement = place == layout.displacement and layout.displacement_bytes == 4
            in_immediate = place == layout.immediate and layout.immediate_bytes == 4 and not layout.relative
            if not in_displacement and not in_immediate:
                return None
            references.append((ABSOLUTE, place))
    if layout.relative:
        form = RELATIVE8 if layout.immediate_bytes == 1 else RELATIVE32
        target = target_of(file, at + layout.immediate, form, region.start, region.end)
        if region.section.holds(target):
            references.append((form, layout.immediate))
    return Item(INSTRUCTION, code[:layout.length], tuple(references), layout)


def alpha_item(file, at, region):
    """An item of Alpha code, None for a byte (section 9, Items, Alpha)."""
    if at % 4 != 0 or region.end - at < 4:
        return None
    if at in file.pointers:
        return pointer_item(file, at)
    word = u32(file.data, at)
    form = None
    if format_of(word) == BRANCH_FORMAT:
        if region.section.holds(target_of(file, at, BRANCH, region.start, region.end)):
            form = BRANCH
    elif at in file.high_halves and word >> 26 == LDAH:
        form = HIGH
    elif at in file.low_halves:
        form = LOW
    references = () if form is None else ((form, 0),)
    return Item(INSTRUCTION, file.data[at:at + 4], references, Layout(4, word >> 26))


# --------------------------------------------------------------------------- 9 Instructions and items: i386

OPCODE, MODRM, SIB, DISPLACEMENT, IMMEDIATE, RELATIVE_DISTANCE = range(6)      # roles of bytes


def opcodes(text):
    """The set of the opcodes of a text such as "63 80..8F"."""
    found = set()
    for part in text.split():
        first, _, last = part.partition("..")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


def opcode_table(sizes):
    """How many bytes each opcode has of something, by the texts of its sizes."""
    table = [0] * 256
    for size, text in sizes.items():
        for opcode in opcodes(text):
            table[opcode] = size
    return table


def arithmetic(low_bits):
    """The text of the opcodes 00..3F with these low three bits."""
    return " ".join(f"{high + low:02X}" for high in range(0, 0x40, 8) for low in low_bits)


PREFIXES = opcodes("26 2E 36 3E 64 65 66 F0 F2 F3")
HAS_MODRM = opcodes(
    arithmetic((0, 1, 2, 3)) + " 63 69 6B 80..8F C0 C1 C6 C7 D0..D3 D8..DF F6 F7 FE FF")
IMMEDIATE_BYTES = opcode_table({
    1: arithmetic((4,)) + " 6A 6B 80 82 83 A8 B0..B7 C0 C1 C6 CD D4 D5 E4..E7",
    2: "C2 CA",
    3: "C8",
    4: arithmetic((5,)) + " 68 69 81 A9 B8..BF C7",
    6: "9A EA",
})
RELATIVE_BYTES = opcode_table({1: "70..7F E0..E3 EB", 4: "E8 E9"})
MOFFS_BYTES = opcode_table({4: "A0..A3"})
NO_MODRM_0F = opcodes("05..09 0B 0E 20..24 26 30..37 77 80..8F A0..A2 A8..AA C8..CF")
IMMEDIATE_BYTES_0F = opcode_table({1: "70..73 A4 AC BA C2 C4..C6"})
RELATIVE_BYTES_0F = opcode_table({4: "80..8F"})
CONTROL_0F = opcodes("20..24 26")
INVALID = None, None, 0


def decode_i386(code):
    """Decode the i386 instruction that at most 15 bytes begin with (section 9, i386).

    (layout, None, 0) if it is whole; (layout as known so far, role and index of the next byte) if it is
    partial; INVALID.
    """
    have = len(code)
    known = Layout()

    def partial(role, index=0):
        """What is known where the bytes end."""
        return INVALID if have >= 15 else (known, role, index)

    # 1: prefixes and the first opcode byte
    narrow = scalar = False
    at = 0
    while True:
        if at == have:
            return partial(OPCODE)
        opcode = code[at]
        at += 1
        if opcode == 0x67:
            return INVALID
        if opcode not in PREFIXES:
            break
        narrow |= opcode == 0x66
        scalar |= opcode == 0xf2
    known.opcode = opcode

    # 2: what there is
    immediate, distance, displacement = IMMEDIATE_BYTES[opcode], RELATIVE_BYTES[opcode], MOFFS_BYTES[opcode]
    has_modrm = opcode in HAS_MODRM
    if opcode == 0x0f:
        if at == have:
            return partial(OPCODE, 1)
        known.map, known.opcode = 1, code[at]
        at += 1
        immediate, distance = IMMEDIATE_BYTES_0F[known.opcode], RELATIVE_BYTES_0F[known.opcode]
        has_modrm = known.opcode not in NO_MODRM_0F
        if known.opcode in (0x38, 0x3a):
            known.map, immediate = (2, 0) if known.opcode == 0x38 else (3, 1)
            if at == have:
                return partial(OPCODE, 2)
            known.opcode = code[at]
            at += 1
        elif known.opcode in CONTROL_0F:
            if at == have:
                return partial(MODRM)
            at += 1
    elif opcode in (0x62, 0xc4, 0xc5):
        if at == have:
            return partial(MODRM)
        has_modrm = True
        payload = code[at]
        if payload >= 0xc0:
            more, m = {0xc5: (0, 1), 0xc4: (1, payload & 31), 0x62: (2, payload & 7)}[opcode]
            at += 1 + more
            if at >= have:
                return partial(OPCODE, 3)
            known.opcode, known.map = code[at], 3 + (m & 3)
            at += 1
            if m not in (1, 2, 3, 5, 6):
                return INVALID
            immediate = IMMEDIATE_BYTES_0F[known.opcode] if m == 1 else int(m == 3)
            has_modrm = m != 1 or known.opcode != 0x77

    # 3: prefixes that change it
    if narrow:
        if distance == 4:
            return INVALID
        immediate = {4: 2, 6: 4}.get(immediate, immediate)
    if known.map == 1 and known.opcode == 0x78 and (narrow or scalar):
        immediate = 2

    # 4: ModR/M and SIB
    if has_modrm:
        if at == have:
            return partial(MODRM)
        modrm = code[at]
        known.modrm = at
        at += 1
        mode, low = modrm >> 6, modrm & 7
        displacement = (0, 1, 4, 0)[mode]
        if known.map == 0 and modrm & 0x30 == 0:
            if known.opcode == 0xf6:
                immediate = 1
            elif known.opcode == 0xf7:
                immediate = 2 if narrow else 4
        if mode != 3 and low == 4:
            if at == have:
                return partial(SIB)
            low = code[at] & 7
            at += 1
        if mode == 0 and low == 5:
            displacement = 4

    # 5: displacement, and immediate or distance
    if displacement:
        known.displacement, known.displacement_bytes = at, displacement
        if at + displacement > have:
            return partial(DISPLACEMENT, have - at)
        at += displacement
    known.relative = distance != 0
    if distance or immediate:
        known.immediate, known.immediate_bytes = at, distance or immediate
        if at + known.immediate_bytes > have:
            return partial(RELATIVE_DISTANCE if distance else IMMEDIATE, have - at)
        at += known.immediate_bytes
    known.length = at
    return known, None, 0


# ---------------------------------------------------------------------- 9 Instructions and items: registers

NAMES_REGISTER = opcodes("40..5F 91..97 B0..BF")
NO_REGISTER = opcodes("80..83 8C..8F C0..C7 D0..DF F6..FF")
NO_REGISTER_0F = opcodes("00 01 0D 18..1F 71..73 90..9F AE BA C7")
NO_VECTORS_0F = opcodes("40..4F 90..9F A0..C1")


class Register(NamedTuple):
    """Where an instruction names a register: in which byte, from which bit on (section 9, Registers)."""
    at: int
    bit: int
    vector: bool
    reserved: tuple

    def number(self, body):
        """The number of the register."""
        return body[self.at] >> self.bit & 7 if self.at < len(body) else 0

    def place(self, body):
        """Its place among all registers."""
        return self.number(body) + 32 * self.vector


def named_registers(layout, body):
    """The registers that an instruction names, in order (section 9, i386, Registers)."""
    opcode, at = layout.opcode, layout.modrm
    registers = []
    if not at:
        if layout.map == 0 and opcode in NAMES_REGISTER:
            ends = [layout.length]
            if layout.displacement_bytes:
                ends.append(layout.displacement)
            if layout.immediate_bytes:
                ends.append(layout.immediate)
            registers.append(Register(min(ends) - 1, 0, False, (4,)))
    else:
        vector = layout.map > 1 or layout.map == 1 and opcode not in NO_VECTORS_0F
        without = (NO_REGISTER, NO_REGISTER_0F)[layout.map] if layout.map < 2 else ()
        if opcode not in without:
            registers.append(Register(at, 3, vector, ()))
        mode, low = body[at] >> 6, body[at] & 7
        if mode == 3:
            registers.append(Register(at, 0, vector, ()))
        elif low == 4:
            registers.append(Register(at + 1, 0, False, (5,) if mode == 0 else ()))
            registers.append(Register(at + 1, 3, False, (4,)))
        elif mode != 0 or low != 5:
            registers.append(Register(at, 0, False, (4, 5) if mode == 0 else (4,)))
    return [register for register in registers if register.number(body) not in register.reserved]


# -------------------------------------------------------------------------- 9 Instructions and items: Alpha

LDAH, JUMP = 0x09, 0x1a
MEMORY_FORMAT, OPERATE_FORMAT, FLOAT_FORMAT, BRANCH_FORMAT, OTHER_FORMAT = range(5)

FORMATS = [OTHER_FORMAT] * 64
for _format, _text in ((MEMORY_FORMAT, "08..0F 18 1A 20..2F"), (OPERATE_FORMAT, "10..13"),
                       (FLOAT_FORMAT, "14..17"), (BRANCH_FORMAT, "30..3F")):
    for _opcode in opcodes(_text):
        FORMATS[_opcode] = _format

WITH_BASE = opcodes("08 0A..0F 20..2F")
WRITES_RA = opcodes("08..0C 28..2B 1A 30 34")


def format_of(word):
    """The format of an Alpha instruction."""
    return FORMATS[word >> 26]


def ra(word):
    """Register field Ra."""
    return word >> 21 & 31


def rb(word):
    """Register field Rb."""
    return word >> 16 & 31


def rc(word):
    """Register field Rc."""
    return word & 31


def has_base(word):
    """Whether an Alpha instruction has a base register, Rb."""
    return word >> 26 in WITH_BASE


def written_register(word):
    """The register that an Alpha instruction writes, 31 if none."""
    opcode = word >> 26
    return ra(word) if opcode in WRITES_RA else rc(word) if FORMATS[opcode] == OPERATE_FORMAT else 31


def consumer(data, at, end):
    """The position of the low half that a high half goes with, or None (section 9, Alpha)."""
    register = ra(u32(data, at))
    for place in range(at + 4, min(end, at + 256) - 3, 4):
        word = u32(data, place)
        if has_base(word) and rb(word) == register:
            return place
    return None


def producer(data, at, start, high_halves):
    """The position of the high half that a low half goes with, or None (section 9, Alpha)."""
    register = rb(u32(data, at))
    for place in range(at - 4, max(start, 0, at - 256) - 1, -4):
        if place in high_halves and ra(u32(data, place)) == register:
            return place
    return None


# ------------------------------------------------------------------------------ 11 State of the first pass

class History:
    """The hashes of the last items (section 11, History)."""

    def __init__(self):
        self.hashes = []

    def push(self, h):
        """Add the hash of an item."""
        self.hashes.append(h)

    @property
    def last(self):
        """The newest hash, 0 before the first."""
        return self.hashes[-1] if self.hashes else 0

    def key(self, n):
        """One number for the last n items, or None if fewer came."""
        if len(self.hashes) < n:
            return None
        k = n
        for h in self.hashes[-n:]:
            k = k * 0x9e3779b1 + h & M32
        return k


class Matcher:
    """A place where the last items came before, in the old file or the new one (section 11, Matcher)."""

    def __init__(self, old, new_data):
        self.old, self.new_data = old, new_data
        self.place = None                       # in the file that `in_old` says
        self.in_old = False
        self.length = self.misses = 0
        bits = clamp((old.size + len(new_data)).bit_length() - 1, 10, 18)
        self.shift = 32 - bits
        self.short, self.long = [0] * (1 << bits), [0] * (1 << bits)
        self.learn_old()

    def learn_old(self):
        """Insert all items of the old file."""
        for region in self.old.regions:
            history = History()
            at = region.start
            while at < region.end:
                self.insert(history, region.isa, at)
                item = item_at(self.old, at, region)
                if item.kind == RVA_ITEM:
                    item = BYTE_ITEMS[self.old.data[at]]
                history.push(item.hash(item.body))
                at += item.length

    def slots(self, history, isa):
        """For the long index, then the short one: (index, slot or None, length of the key)."""
        few, more = (6, 14) if isa == IN_DATA else (3, 6)
        for index, n in ((self.long, more), (self.short, few)):
            k = history.key(n)
            yield index, None if k is None else ((k ^ k >> 16) * 0x85ebca6b & M32) >> self.shift, n

    def insert(self, history, isa, place):
        """Both indexes learn a place; those of the new file count from the old file's size on."""
        for index, slot, _ in self.slots(history, isa):
            if slot is not None:
                index[slot] = place

    def find(self, history, isa):
        """Look for a place, unless there is a good one."""
        if self.place is not None and self.length >= 2:
            return
        for index, slot, n in self.slots(history, isa):
            if slot is not None and index[slot] != 0:
                place = index[slot]
                in_old = place < self.old.size
                if not in_old:
                    place -= self.old.size
                if (place, in_old) != (self.place, self.in_old):
                    self.place, self.in_old, self.length, self.misses = place, in_old, n, 0
                return

    def lose(self):
        """The place was wrong."""
        self.place, self.length = None, 0

    def let_go(self):
        """Forget the place, but not how well it went."""
        self.place = None

    def skip(self, n):
        """Go on by n bytes."""
        if self.place is not None:
            self.place += n

    def hit(self, n):
        """Go on by n bytes that were predicted."""
        self.skip(n)
        self.length += 1

    def miss(self, n):
        """Go on by n bytes that were not predicted."""
        self.skip(n)
        self.length //= 2
        self.misses += 1
        if self.misses > 8:
            self.lose()

    def old_place(self):
        """`old()`: the place, if it is in the old file, else None."""
        return self.place if self.in_old else None

    def data(self):
        """The bytes of the file of the place."""
        return self.old.data if self.in_old else self.new_data

    def byte(self):
        """The byte at the place, None if there is none."""
        data = self.data()
        return data[self.place] if self.place is not None and self.place < len(data) else None

    def word(self):
        """The word of Alpha at the place, None if there is none (section 13, An Alpha word)."""
        if self.place is None or self.place % 4 != 0 or self.place + 4 > len(self.data()):
            return None
        return u32(self.data(), self.place)

    def is_pointer(self):
        """Whether a pointer begins at the place in the old file."""
        return self.old_place() in self.old.pointers


class Run(NamedTuple):
    """Bytes of the new file that correspond to some of the old one (section 11, Runs)."""
    old: int
    new: int
    length: int


class Runs:
    """All runs, or the longest of too many (section 11, Runs)."""

    def __init__(self):
        self.runs = []
        self.shortest = 1

    def add(self, old, new, length):
        """Add a run, or make the last one longer."""
        if length == 0:
            return
        runs = self.runs
        if runs:
            last = runs[-1]
            if (last.old + last.length, last.new + last.length) == (old, new):
                runs[-1] = Run(last.old, last.new, last.length + length)
                return
            if last.length < self.shortest:
                runs.pop()
        if len(runs) >= 131072:
            while len(runs) > 65536:
                self.shortest *= 2
                runs[:] = [run for run in runs if run.length >= self.shortest]
        runs.append(Run(old, new, length))


# ------------------------------------------------------------------------------------------- 12 First pass

class Prediction(NamedTuple):
    """The bodies that an item may have in the new file, the likelier first (section 14)."""
    first: bytes
    other: bytes | None = None
    renamed: int = 0                            # 1 if the renamed body is the other, 2 if it is the first
    kind: int = 0


class FirstPass:
    """What makes the items of the new file out of those of the old one (sections 11 to 13)."""

    def __init__(self, model, old, new):
        self.model, self.old, self.new = model, old, new
        self.marks = Marks(old)
        self.stamp = None                       # the new stamp, once it is known
        self.at = self.old_at = 0
        self.departures = [0, 0, 0]
        self.hits = self.run = self.operations = 0
        self.forms = [0, 0, 0]
        self.history = History()
        self.matcher = Matcher(old, new.data)
        self.runs = Runs()
        self.references = []
        self.offsets = [0] * 32                 # displacements, by base register
        self.renames = Renames()
        self.region = None
        self.single, self.doubtful = 0, False

    # Section 11

    def step(self, form):
        """`step(f)`: the newest form (section 11, History)."""
        self.forms = [form, self.forms[0], self.forms[1]]

    def refer(self, at, form, twin=None, alike=False):
        """List a reference of the new file (section 11, References)."""
        self.references.append(Reference(at, form, twin, alike))
        if form == HIGH:
            self.new.high_halves[at] = None
        elif form == LOW:
            self.new.low_halves.add(at)

    def note_offset(self, word):
        """Note the displacement of a word with a base (section 11, Offsets)."""
        if has_base(word):
            self.offsets[rb(word)] = word & 0xffff

    # Section 12

    def cut(self, o, origin, n, region):
        """The old item at `o` in the old region `origin`, as it may be taken to `n` (section 12)."""
        byte = BYTE_ITEMS[self.old.data[o]]
        if self.stamp is None:
            return byte
        item = item_at(self.old, o, origin) if origin.isa == region.isa else byte
        if region.isa != IN_DATA or item.kind == INSTRUCTION:
            return item
        if item.kind == RVA_ITEM and (region.section is None or (n - region.start) % 4 != 0):
            item = byte
        if item.kind != POINTER and origin.isa == IN_DATA and origin.end - o >= 4 and self.old.image:
            image = self.old.image
            if image.stamp != 0 and o != image.header_at + 8 and u32(self.old.data, o) == image.stamp:
                return Item(STAMP, self.old.data[o:o + 4])
        return item

    def old_item(self, o):
        """The old item at `o`, None if there is none or it has no room (section 12)."""
        origin = self.old.region_at(o)
        if origin is None:
            return None
        item = self.cut(o, origin, self.at, self.region)
        return item if item.length <= min(origin.end - o, self.region.end - self.at) else None

    def code_region(self, region, twin=None):
        """Make a region of the new file (section 12)."""
        self.region = region
        if twin is not None:
            self.old_at = twin
        if region.isa == IN_ALPHA:
            self.old_at &= ~3
        self.at = region.start
        self.single, self.doubtful, self.run = 0, False, 0
        self.matcher.let_go()
        while self.at < region.end:
            item = self.old_item(self.old_at)
            if item is None:
                self.run = 0
                self.matcher.find(self.history, region.isa)
                if self.model.flag("JumpFromEnd of " + ("code" if region.isa else "data")):
                    self.jump()
                else:
                    self.new_item(None, False)
            elif not self.block():
                self.one_item(item)

    def block(self):
        """Take over a block of items, if one is taken (section 12, Blocks)."""
        if self.single > 0:
            self.single -= 1
            return False
        if self.run < 16:
            return False
        count = 128 if self.run >= 512 else 24
        origin, region = self.old.region_at(self.old_at), self.region
        if min(origin.end - self.old_at, region.end - self.at) < count * 15:
            return False
        if region.isa == IN_DATA:
            end = self.marks.next_unique(self.old_at)
            if end - self.old_at < count * 4:
                count = self.items_before(end, count, origin)
                if count < 8:
                    return False
        situation = (range_of(self.run) * 2 + (count > 24)) * 4 + (self.hits >> 16 & 3).bit_count()
        if not self.model.block(situation + 128 * region.isa):
            self.single, self.doubtful = count - 1, True
            return False
        for item, prediction in self.plan(count, origin):
            self.take_over(item, prediction)
        self.run += count
        self.hits = M32
        self.matcher.let_go()
        return True

    def items_before(self, end, most, origin):
        """How many items, at most, there are before a position of the old file (section 12, Blocks)."""
        o, n, count = self.old_at, self.at, 0
        while count < most and o < end:
            length = self.cut(o, origin, n, self.region).length
            o, n, count = o + length, n + length, count + 1
        return count - 1 if o > end else count

    def plan(self, count, origin):
        """The items of a block and their predictions (section 12, Blocks)."""
        planned = []
        o, n = self.old_at, self.at
        for _ in range(count):
            item = self.cut(o, origin, n, self.region)
            planned.append((item, self.renames.predict(item, self.region.isa)))
            o, n = o + item.length, n + item.length
        return planned

    def one_item(self, item):
        """Take an item over, or do something else (section 12, One item)."""
        isa, matcher, hits, operations = self.region.isa, self.matcher, self.hits, self.operations
        prediction = self.renames.predict(item, isa)
        renamed, kind, layout = prediction.renamed, item.kind, item.layout
        mark = self.marks.class_at(self.old_at) if isa == IN_DATA else 0
        if isa == IN_DATA:
            form = kind << 12 | 0xf00 | self.old.data[self.old_at] & 0x80 | mark << 16
            code = 0
        else:
            form = layout.opcode | layout.map << 8 | kind << 12
            code = (isa - 1) * 3 + renamed + 1
        along = matcher.old_place() == self.old_at
        agrees = 0 if matcher.place is None else 1 if along else 2
        doubt = range_of(self.single + 1) if self.doubtful else 0
        h = item.hash(item.body)
        run = range_of(self.run)
        s = run * 16 + (hits & 15) + 256 * code
        a = agrees * 16 + min(kind, 3) * 4 + isa
        hit = self.model["Hit"].decision(
            [
                (h, hits & 1 | renamed << 1),
                (form, self.forms[0] ^ renamed << 30),
                (hash32(h, self.history.last), 0),
                (agrees | min(matcher.length, 15) << 2, run | len(item.references) << 8 | renamed << 12),
                (operations & 255, hits & 3 | kind << 4),
                (doubt << 2 | isa, kind | renamed << 4),
            ],
            select=[s, a, doubt * 16 + (hits & 3) * 4 + isa],
            count=[
                s,
                768 | mark if isa == IN_DATA else isa << 8 | hits & 255,
                a,
                isa << 10 | layout.opcode | (layout.map & 3) << 8,
                doubt << 2 | isa,
            ],
            refine=128 + doubt * 4 + isa if doubt > 0 else run * 8 + (hits & 7),
        )
        self.hits = (hits << 1 | hit) & M32
        if hit:
            if along:
                matcher.hit(item.length)
            else:
                matcher.lose()
            self.take_over(item, prediction)
            self.run += 1
            self.forms = [form, self.forms[0], self.forms[2]]
        else:
            self.run, self.doubtful = 0, False
            if along:
                matcher.let_go()
            matcher.find(self.history, isa)
            self.operate(item, prediction, form, code)

    def operate(self, item, prediction, form, code):
        """Do what is to be done if an item is not taken over (section 12, One item, Operation)."""
        isa, matcher, hits, operations = self.region.isa, self.matcher, self.hits, self.operations
        renamed = prediction.renamed
        if matcher.place is None:
            matched = 0
        elif matcher.in_old:
            matched = 2 if matcher.length > 5 else 1
        else:
            matched = 3
        s = (operations & 15) * 4 + matched + 64 * code
        operation = self.model["Operation"].symbol(
            2,
            [
                (matched | item.kind << 4, operations & 15 | hits << 8 & 0xf00),
                (form, operations & 3 | renamed << 2),
                (self.forms[0], operations & 3 | renamed << 2),
                (range_of(32 - operations.bit_length()), hits & 255),
            ],
            select=[s],
            count=[s, isa << 8 | operations & 255],
        )
        self.operations = (operations << 2 | operation) & M32
        if operation == 0:
            self.new_item(item, True)
        elif operation == 1:
            self.new_item(item, False)
        elif operation == 2:
            self.jump()
        else:
            self.renames.judge(prediction, False)
            self.copy(item, prediction.other or bytes(16))
            matcher.let_go()

    def take_over(self, item, prediction):
        """Take over an item with its predicted body (section 12, One item)."""
        self.renames.judge(prediction, True)
        self.copy(item, prediction.first)

    def copy(self, item, body):
        """Copy the item at `old_at` with some body (section 12, One item)."""
        at, old_at, length = self.at, self.old_at, item.length
        if item.kind == STAMP:
            put(self.new.data, at, self.stamp, 4)
        else:
            self.new.data[at:at + length] = body[:length]
            for form, place in item.references:
                self.refer(at + place, form, old_at + place)
            self.renames.learn(item, body, item.layout, self.region.isa)
            if self.region.isa == IN_ALPHA and item.kind == INSTRUCTION:
                self.note_offset(u32(body, 0))
        self.history.push(item.hash(body))
        self.runs.add(old_at, at, length)
        self.at += length
        self.old_at += length

    def jump(self):
        """Go on elsewhere in the old file (section 12, Jumps)."""
        isa, matcher, operations = self.region.isa, self.matcher, self.operations
        unit = 2 if isa == IN_ALPHA else 0
        place = matcher.old_place()
        good = 0 if place is None else 2 if matcher.length > 5 else 1
        way = self.model["Jump"].symbol(
            3,
            [
                (good, 0),
                (good, operations & 15),
                (good, operations & 255),
                (isa, range_of(matcher.length)),
                (7, place is not None and place > self.old_at),
            ],
            select=[good + 4 * isa],
            count=[good + 4 * isa + 16 * (operations & 3)],
        )
        if way == 0:
            there = place
        elif way == 1:
            there = self.old_at + (self.model.number(2 + 8 * isa, operations) + 1 << unit)
        elif way == 2:
            there = self.old_at - (self.model.number(3 + 8 * isa, operations) << unit)
        elif way == 3:
            there = self.behind_items(self.model.number(6 + 8 * isa, operations) + 1)
        elif way < 7:
            n = self.model.number(4 + 8 * isa, operations)
            there = (self.departures[way - 4] >> unit << unit) + ((n >> 1 ^ -(n & 1)) << unit) & M32
        else:
            raise Refused("out of bounds: a jump by way 7")
        if there is None or not 0 <= there <= M32:
            raise Refused("out of bounds: a jump to nowhere")
        item = self.old_item(there)
        if item is None:
            raise Refused("out of bounds: a jump to where no old item fits")
        self.departures = [self.old_at, *self.departures[:2]]
        self.old_at = there
        self.copy(item, item.body)
        self.run = 1
        self.hits = (self.hits << 1 | 1) & M32
        matcher.let_go()

    def behind_items(self, count):
        """The position behind so many items of the old file (section 12, Jumps, way 3)."""
        if count > 40:
            raise Refused("out of bounds: a jump over more than 40 items")
        there = self.old_at
        for _ in range(count):
            origin = self.old.region_at(there)
            known = origin is not None and origin.isa == self.region.isa
            there += item_at(self.old, there, origin).length if known else 1
        return there

    # Section 13

    def new_item(self, old, substituted):
        """Make an item that is not the old one (section 13)."""
        at, isa = self.at, self.region.isa
        kind = self.new_kind(old, substituted) if self.region.section else BYTE
        if kind == BYTE:
            item = self.new_byte(old, substituted)
        elif kind == POINTER:
            item = self.new_pointer(old)
        elif kind == INSTRUCTION and isa == IN_I386:
            item = self.new_instruction(old, substituted)
        elif kind == INSTRUCTION and isa == IN_ALPHA:
            item = self.new_word(old, substituted)
        else:
            raise Refused("out of bounds: a new item of a kind that is none here")
        self.history.push(item.hash(item.body))
        self.at += item.length
        self.matcher.find(self.history, isa)
        self.matcher.insert(self.history, isa, self.old.size + self.at)
        if old is None:
            both = 0
        elif kind == POINTER:
            both = item.length if old.kind == POINTER else 0
        elif not substituted:
            both = 0
        else:
            both = 1 if kind == BYTE else min(item.length, old.length)
        self.runs.add(self.old_at, at, both)
        if substituted:
            self.old_at += item.length if isa == IN_DATA else old.length

    def new_kind(self, old, substituted):
        """The kind of a new item (section 13)."""
        isa, matcher, forms = self.region.isa, self.matcher, self.forms
        code = isa != IN_DATA
        o = old.kind if old else 7
        if matcher.place is None:
            m = 9
        else:
            m = matcher.is_pointer() if matcher.in_old else 8
        s = o * 4 + substituted * 2 + code
        return self.model["Form"].symbol(
            2,
            [(o, code | substituted << 1), (forms[0], code), (forms[0], forms[1]), (m, code)],
            select=[s],
            count=[s, isa << 6 | forms[0] >> 12 & 7 | o << 3],
        )

    def new_pointer(self, old):
        """Make a pointer (section 13, A pointer)."""
        if self.region.end - self.at < 4:
            raise Refused("out of bounds: a pointer beyond its room")
        self.refer(self.at, ABSOLUTE, self.old_at if old and old.kind == POINTER else None)
        self.matcher.skip(4)
        self.step(0x1000)
        return Item(POINTER, bytes(4), ((ABSOLUTE, 0),))

    def bytes_before(self, at):
        """The eight bytes of the new file before a position, newest first (section 13, A byte, b)."""
        before = bytes(self.new.data[max(at - 8, 0):at]).rjust(8, b"\0")
        return before[::-1]

    def new_byte(self, old, substituted):
        """Make a byte (section 13, A byte)."""
        matcher, hits, at = self.matcher, self.hits, self.at

        def around(d):
            """A byte beside the old item, or None."""
            position = self.old_at + d & M32
            return self.old.data[position] if old and position < self.old.size else None

        expected = around(0) if substituted else None
        following, previous = around(1), around(-1)
        matched = matcher.byte()
        b = self.bytes_before(at)
        near = [int.from_bytes(b[:k], "big") for k in range(5)]
        column = at - self.region.start & 3
        length = min(matcher.length, 15)
        mark = self.marks.class_at(self.old_at) if old else 0
        e, n, p, m = (256 if byte is None else byte for byte in (expected, following, previous, matched))
        if mark >= 140:
            select, count = 1024 + mark, 4 + mark - 140
        else:
            select, count = length * 16 + (hits & 7) * 2 + substituted, column
        byte = self.model["Byte"].symbol(
            8,
            [
                (0, column),
                (b[0], 0),
                (near[2], 0),
                (near[3], 0),
                (near[4], 0),
                (hash32(near[4], b[4] | b[5] << 8), 0),
                (b[3], column | b[0] << 8),
                (e, hits & 15),
                (e | n << 9, b[0]),
                (e | p << 9, b[0]),
                (m, length),
                (hash32(e, m), 0),
                (b[3] | b[7] << 8, column),
                (mark | 0x1000, e),
            ],
            expectations=[
                (expected, hits & 15 | (previous == b[0]) << 4),
                (matched, length * 4 + (matched is not None and matched == around(0)) * 2),
            ],
            select=[select, b[0]],
            count=[count],
        )
        self.new.data[at] = byte
        if matched is not None:
            if byte == matched:
                matcher.hit(1)
            else:
                matcher.lose()
        self.step(0x2000)
        return BYTE_ITEMS[byte]

    def new_instruction(self, old, substituted):
        """Make an i386 instruction (section 13, An i386 instruction)."""
        at, data, matcher = self.at, self.new.data, self.matcher
        twin = old if old and old.kind == INSTRUCTION else None
        in_step = substituted
        room = min(self.region.end - at, 15)
        length = start = surprises = 0
        references = []
        while True:
            code = data[at:at + length]
            known, role, index = decode_i386(code)
            if known is None:
                raise Refused("out of bounds: bytes that begin no instruction")
            if role is None:
                break
            form = possible_reference(known, role, index)
            if form and self.is_reference(form, known, role, code, twin):
                size = REFERENCE_BYTES[form]
                if length + size > room:
                    raise Refused("out of bounds: a reference of an instruction beyond its room")
                self.refer(at + length, form, *self.association(form, twin, substituted))
                references.append((form, length))
                length += size
                start = hash32(start, 0x999)
                matcher.skip(size)
                continue
            if length >= room:
                raise Refused("out of bounds: a byte of an instruction beyond its room")
            expected = self.expected_byte(known, role, index, length, twin, in_step)
            byte = self.instruction_byte(
                known, role, index, code, start, expected, surprises, twin, substituted)
            data[at + length] = byte
            if expected is not None and byte != expected:
                surprises += 1
                if role in (OPCODE, MODRM, SIB):
                    in_step = False
            start = hash32(start, byte + 1)
            length += 1
        item = Item(INSTRUCTION, data[at:at + length], tuple(references), known)
        self.step(instruction_form(known, item.body))
        if twin and substituted:
            self.renames.learn(twin, item.body, known, IN_I386)
        return item

    def is_reference(self, form, known, role, code, twin):
        """Whether a field is a reference (section 13, An i386 instruction, is_reference)."""
        matcher = self.matcher
        m = 0 if matcher.old_place() is None else 2 if matcher.is_pointer() else 1
        o = 0 if twin is None else 1 if twin.place_of(form) is None else 2
        opcode = known.opcode | known.map << 8
        return self.model["Form"].decision(
            [
                (role, opcode | modrm_of(known, code) << 16),
                (role, opcode),
                (role | 64, m * 3 + o),
                (self.forms[0], opcode | role << 8),
            ],
            select=[32 + role],
            count=[32 + role, 256 + known.opcode + 256 * (known.map & 1)],
        )

    def association(self, form, twin, substituted):
        """(position, is a likeness) for a new reference (section 13, An i386 instruction, Association)."""
        if substituted and twin:
            place = twin.place_of(form)
            return (None if place is None else self.old_at + place), False
        place = self.matcher.old_place()
        if place is not None and (form == RELATIVE32 or form == ABSOLUTE and self.matcher.is_pointer()):
            return place, True
        return None, False

    def expected_byte(self, known, role, index, length, twin, in_step):
        """The byte that the twin has there (section 13, An i386 instruction, Byte)."""
        if twin is None:
            return None
        old, place = twin.layout, None
        if in_step:
            place = length
        elif role == DISPLACEMENT and old.displacement_bytes == known.displacement_bytes:
            place = old.displacement + index
        elif role == IMMEDIATE and not old.relative and old.immediate_bytes == known.immediate_bytes:
            place = old.immediate + index
        elif role == MODRM and old.modrm:
            place = old.modrm
        elif role == OPCODE and length == 0:
            place = 0
        return None if place is None else self.old_byte(self.old_at + place)

    def old_byte(self, position):
        """A byte of the old file, or None."""
        return self.old.data[position] if position < self.old.size else None

    def instruction_byte(self, known, role, index, code, start, expected, surprises, twin, substituted):
        """Decode a byte of an instruction (section 13, An i386 instruction, Byte)."""
        matcher, hits, forms, length = self.matcher, self.hits, self.forms, len(code)
        following = self.old_byte(self.old_at + length + 1) if twin else None
        matched = matcher.byte()
        b = self.bytes_before(self.at + length)
        modrm = modrm_of(known, code)
        confidence = min(matcher.length, 15)
        both = matched == expected
        e, f, m = (256 if byte is None else byte for byte in (expected, following, matched))
        number = role | index << 3
        n, u = min(number, 31), min(surprises, 3)
        opcode = known.opcode | known.map << 8
        here = hash32(number, start)
        recent = hash32(forms[0], forms[1])
        byte = self.model["Instruction"].symbol(
            8,
            instruction_contexts(number, opcode, start, forms[0]) + [
                (here, recent),
                (here, hash32(recent, forms[2])),
                (b[0], 1),
                (b[0] << 8 | b[1], 1),
                (b[0] << 16 | b[1] << 8 | b[2], 1),
                (hash32(number, modrm & 0xc7), opcode >> 1),
                (hash32(self.history.last, start), number),
                (e | number << 10, hits & 7 | substituted << 3 | surprises << 4),
                (hash32(e | f << 9, b[0]), substituted),
                (m | confidence << 10, number),
                (hash32(hash32(e, twin.layout.opcode if twin else 0), number), opcode),
            ],
            expectations=[
                (expected, n * 16 + substituted * 8 + (hits & 1) * 4 + u),
                (matched, confidence * 8 + both * 4 + min(role, 3)),
            ],
            select=[
                n * 64 + substituted * 32 + confidence * 2 + both,
                opcode & 1023,
                u * 64 + (expected is None) * 32 + (matched is None) * 16 + (hits & 15),
            ],
            count=[n],
            refine=n * 4 + substituted * 2 + both,
        )
        if matched is not None:
            if byte == matched:
                matcher.hit(1)
            elif length > 0 or role in (DISPLACEMENT, IMMEDIATE):
                matcher.miss(1)
            else:
                matcher.lose()
        return byte

    def new_word(self, old, substituted):
        """Make an Alpha word (section 13, An Alpha word)."""
        at, data, matcher = self.at, self.new.data, self.matcher
        if self.region.end - at < 4:
            raise Refused("out of bounds: a word beyond its room")
        if old and old.kind != INSTRUCTION:
            old = None
        old_word = u32(old.body, 0) if old else None
        refers = bool(old and old.references)
        renamed = self.renames.renamed_word(old_word, refers) if old else None
        matched = matcher.word()
        word = NewWord(self, (renamed, matched, old_word), substituted)
        word.decode(WORD_FIELDS[None])
        fields, of_reference = WORD_FIELDS[format_of(word.word)]
        word.decode(fields)
        put(data, at, word.word, 4)
        form = self.possible_word_reference(word.word)
        if form and not self.is_word_reference(form, word.word, old, refers):
            form = None
        if form is None:
            word.decode(of_reference)
            put(data, at, word.word, 4)
        else:
            self.refer(at, form, *self.word_association(form, old, substituted))
        if matched is not None:
            same = matched >> 21 == word.word >> 21 if form else matched == word.word
            if same:
                matcher.hit(4)
            else:
                matcher.miss(4)
        references = ((form, 0),) if form else ()
        item = Item(INSTRUCTION, data[at:at + 4], references, Layout(4, word.word >> 26))
        if old and substituted and (form is None or refers):
            self.renames.learn(old, item.body, item.layout, IN_ALPHA)
        self.note_offset(word.word)
        self.step(word.word >> 26 | (word.word & 0x1f0000) >> 8 | 0x4000)
        return item

    def possible_word_reference(self, word):
        """The form of the reference that a new word may have, or None (section 13, An Alpha word)."""
        if format_of(word) == BRANCH_FORMAT:
            return BRANCH
        if word >> 26 == LDAH:
            return HIGH
        halves = self.new.high_halves
        if has_base(word) and producer(self.new.data, self.at, self.region.start, halves) is not None:
            return LOW
        return None

    def is_word_reference(self, form, word, old, refers):
        """Whether a new word has a reference (section 13, An Alpha word)."""
        k = (BRANCH, HIGH, LOW).index(form) + 1
        t = k | refers << 4 | (old is not None) << 5
        return self.model["Form"].decision(
            [
                (k + 900, word >> 26),
                (k + 900, word >> 16),
                (t, word >> 26 | 0x100),
                (k + 900, self.forms[0] | 0x800000),
            ],
            select=[48 + k],
            count=[48 + k, 896 + t],
        )

    def word_association(self, form, old, substituted):
        """(position, is a likeness) for the reference of a new word (section 13, An Alpha word)."""
        if substituted and old and old.place_of(form) is not None:
            return self.old_at, False
        place = self.matcher.old_place()
        region = None if place is None else self.old.region_at(place)
        if region and region.isa == IN_ALPHA and item_at(self.old, place, region).place_of(form) is not None:
            return place, True
        return None, False


# ------------------------------------------------------------------ 13 New items: i386 instructions, priming

def possible_reference(known, role, index):
    """The form of the reference that the next field of an instruction may be, or None (section 13)."""
    if index != 0:
        return None
    if role == DISPLACEMENT and known.displacement_bytes == 4:
        return ABSOLUTE
    if role == IMMEDIATE and known.immediate_bytes == 4:
        return ABSOLUTE
    if role == RELATIVE_DISTANCE:
        return {1: RELATIVE8, 4: RELATIVE32}[known.immediate_bytes]
    return None


def modrm_of(known, code):
    """The ModR/M byte of a part of an instruction, 256 if it has no place yet (section 13)."""
    return code[known.modrm] if known.modrm else 256


def instruction_contexts(number, opcode, start, form):
    """The first three contexts of a byte of an instruction (section 13, An i386 instruction)."""
    return [(number, opcode), (number, start), (hash32(number, start), form)]


def instruction_form(layout, body):
    """What `step` gets of an instruction (section 13, An i386 instruction)."""
    modrm = body[layout.modrm] if layout.modrm else 0
    return layout.opcode | layout.map << 8 | (modrm & 0xf8) << 12


def prime(model, old):
    """Teach the code of the old file (section 13, Priming)."""
    for region in old.regions:
        if region.isa == IN_DATA:
            continue
        form = 0
        words = [0, 0, 0]
        at = region.start
        while at < region.end:
            item = item_at(old, at, region)
            at += item.length
            if item.kind == INSTRUCTION and region.isa == IN_I386:
                prime_instruction(model["Instruction"], item, form)
                form = instruction_form(item.layout, item.body)
            elif item.kind == INSTRUCTION:
                prime_word(model["Word"], item, words)
                words = [u32(item.body, 0), words[0], words[1]]
            else:
                form = 0x1000 if item.kind == POINTER else 0x2000


def prime_instruction(predictor, item, form):
    """Teach the bytes of an i386 instruction (section 13, Priming)."""
    body, references = item.body, {place: of for of, place in item.references}
    length = start = 0
    while length < item.length:
        known, role, index = decode_i386(body[:length])
        if role is None:
            return
        if length in references:
            start = hash32(start, 0x999)
            length += REFERENCE_BYTES[references[length]]
            continue
        opcode = known.opcode | known.map << 8
        predictor.teach(instruction_contexts(role | index << 3, opcode, start, form), body[length], 8)
        start = hash32(start, body[length] + 1)
        length += 1


def prime_word(predictor, item, words):
    """Teach the fields of an Alpha word (section 13, Priming)."""
    whole = u32(item.body, 0)
    always, of_reference = WORD_FIELDS[format_of(whole)]
    word = start = 0
    for number, bits, lowest in WORD_FIELDS[None] + always + (() if item.references else of_reference):
        value = whole >> lowest & (1 << bits) - 1
        predictor.teach(word_contexts(number, word >> 26, start, words), value, bits)
        word |= value << lowest
        start = hash32(start, value + 1 + number * 1000)


# ------------------------------------------------------------------------------ 13 New items: Alpha words

# Of each format: fields (number, bits, lowest bit) that are always there, and those unless it is a reference.
WORD_FIELDS = {
    None: ((0, 6, 26),),
    BRANCH_FORMAT: (((1, 5, 21),), ((2, 5, 16), (3, 8, 8), (4, 8, 0))),
    MEMORY_FORMAT: (((5, 5, 21), (6, 5, 16)), ((7, 8, 8), (8, 8, 0))),
    OPERATE_FORMAT: (((9, 8, 5), (10, 5, 21), (11, 8, 13), (12, 5, 0)), ()),
    FLOAT_FORMAT: (((13, 3, 13), (14, 8, 5), (15, 5, 21), (16, 5, 16), (17, 5, 0)), ()),
    OTHER_FORMAT: (((18, 2, 24), (19, 8, 16), (20, 8, 8), (21, 8, 0)), ()),
}


def word_contexts(number, op, start, words):
    """The first three contexts of a field of a word (section 13, An Alpha word)."""
    op1, op2, op3 = (word >> 26 for word in words)
    here = hash32(number, start)
    return [(number, op), (here, 0), (here, op1 | op2 << 6 | op3 << 12)]


class NewWord:
    """An Alpha word that is decoded field by field (section 13, An Alpha word)."""

    def __init__(self, first_pass, candidates, substituted):
        self.first_pass, self.substituted = first_pass, substituted
        self.candidates = candidates            # renamed, matched, old
        self.right = 7
        self.word = self.start = 0
        at, begin = first_pass.at, first_pass.region.start
        places = (at - 4, at - 8, at - 12)
        self.words = [u32(first_pass.new.data, place) if place >= begin else 0 for place in places]

    def decode(self, fields):
        """Decode some fields."""
        for number, bits, lowest in fields:
            parts = [self.part(candidate, number, bits, lowest) for candidate in self.candidates]
            value = self.field(number, bits, parts)
            self.word |= value << lowest
            self.start = hash32(self.start, value + 1 + number * 1000)
            for i, part in enumerate(parts):
                if part != value:
                    self.right &= ~(1 << i)

    def part(self, candidate, number, bits, lowest):
        """The part of a candidate that is a field, or None."""
        if candidate is None or number != 0 and candidate >> 26 != self.word >> 26:
            return None
        return candidate >> lowest & (1 << bits) - 1

    def field(self, number, bits, parts):
        """Decode a field of so many bits, by the candidates' parts."""
        state, words, right, s = self.first_pass, self.words, self.right, self.substituted
        renamed, matched, old = parts
        o = 0xffffffff if old is None else old
        op, base = self.word >> 26, rb(self.word)
        length, hits = min(state.matcher.length, 15), state.hits
        op1, op2 = words[0] >> 26, words[1] >> 26
        q, here = hash32(number, op), hash32(number, self.start)
        written = written_register(words[0])
        agreement = (matched == renamed) * 2 + (old == renamed)
        of_right = number * 16 + s * 8 + right
        return state.model["Word"].symbol(
            bits,
            word_contexts(number, op, self.start, words) + [
                (here, op1 | op2 << 6),
                (here, words[0]),
                (q, written | written_register(words[1]) << 5 | 0x1000),
                (hash32(number, base), hash32(state.offsets[base], op)),
                (hash32(number, base), base | 0x2000),
                (hash32(number, o), s | right << 1 | (hits & 3) << 4),
                (q, hash32(written, o)),
            ],
            expectations=[
                (renamed, of_right),
                (matched, number * 16 + (length >> 1) * 2 + (right & 4 != 0)),
                (old, of_right),
            ],
            select=[
                number * 64 + s * 32 + (length >> 1) * 4 + agreement,
                (right + 8 * s) * 64 + op,
                (renamed is None) * 32 + (matched is None) * 16 + (hits & 15) + 64 * (number & 15),
            ],
            count=[number],
            refine=number * 4 + s * 2 + (matched == renamed),
        )


# --------------------------------------------------------------------------------------------- 14 Renames

class Field(NamedTuple):
    """A number in an i386 instruction: where, how long, of which kind (section 14, Numbers)."""
    is_displacement: bool
    place: int
    length: int
    kind: int

    def read(self, body):
        """The number in some body."""
        return self.read_at(body, self.place)

    def read_at(self, body, place):
        """The number at another place, of the same length."""
        return sext8(body[place]) if self.length == 1 else int.from_bytes(
            body[place:place + self.length], "little")


@lru_cache(1 << 16)
def fields_of(item):
    """The numbers of an i386 item (section 14, Numbers)."""
    layout, body = item.layout, item.body
    places = {place for _, place in item.references}
    fields = []
    length = layout.displacement_bytes
    if length and layout.displacement not in places:
        base = body[layout.modrm] & 7 if layout.modrm else 9
        fields.append(Field(True, layout.displacement, length, 16 + base + 16 * length & 127))
    length = layout.immediate_bytes
    if length in (2, 4) and not layout.relative and layout.immediate not in places:
        kind = 128 | (layout.opcode ^ length << 4) & 127
        fields.append(Field(False, layout.immediate, length, kind))
    return fields


class Renames:
    """What registers and numbers of the old file have become in the new one (section 14)."""

    def __init__(self):
        self.registers = [i & 31 for i in range(64)]
        self.numbers = [(None, 0)] * 4096       # key, value
        self.shifts = [(0, 0)] * 256            # from, by
        self.changed = False
        self.trust = [0] * 128

    def number(self, key):
        """The value that `numbers` has for a key, or None."""
        known, value = self.numbers[(key * 0x9e3779b1 & M32) >> 20]
        return value if known == key else None

    def set_number(self, key, value):
        """Give a key a value, or with None take it away."""
        slot = (key * 0x9e3779b1 & M32) >> 20
        if value is not None:
            self.numbers[slot] = key, value
        elif self.numbers[slot][0] == key:
            self.numbers[slot] = None, 0

    def predict(self, item, isa):
        """The bodies that an item may have in the new file (section 14, predict)."""
        body = item.body
        if item.kind != INSTRUCTION or isa == IN_DATA or isa == IN_I386 and not self.changed:
            return Prediction(body)
        if isa == IN_I386:
            renamed, kind = self.renamed_instruction(item)
        else:
            word = self.renamed_word(u32(body, 0), bool(item.references))
            renamed, kind = word.to_bytes(4, "little") + body[4:], item.layout.opcode & 63
        if renamed == body:
            return Prediction(body)
        if self.trust[kind] >= 2:
            return Prediction(renamed, body, 2, kind)
        return Prediction(body, renamed, 1, kind)

    def judge(self, prediction, first_was_right):
        """Learn which of two bodies was right (section 14, judge)."""
        if prediction.renamed:
            renamed_was_right = first_was_right == (prediction.renamed == 2)
            trust = self.trust[prediction.kind]
            self.trust[prediction.kind] = min(trust + 1, 3) if renamed_was_right else max(trust - 2, -3)

    def renamed_instruction(self, item):
        """An i386 instruction under its new names, and its kind of trust (section 14, predict)."""
        layout, old = item.layout, item.body
        new = bytearray(old)
        for register in named_registers(layout, old):
            number = self.registers[register.place(old)] & 7
            if number not in register.reserved:
                new[register.at] = new[register.at] & ~(7 << register.bit) | number << register.bit
        if new == old:
            kind = 64 + min(layout.immediate_bytes, 7) + 8 * min(layout.displacement_bytes, 4)
        else:
            kind = int(layout.modrm != 0)
        for field in fields_of(item):
            v = self.renamed_number(field, field.read(old))
            if v is not None:
                put(new, field.place, v, field.length)
        return bytes(new), kind

    def renamed_number(self, field, v):
        """What a number becomes, None if it stays (section 14, Numbers)."""
        known = self.number(hash32(field.kind, v))
        if known is not None:
            return known
        origin, by = self.shifts[field.kind]
        if by == 0:
            return None
        if field.is_displacement:
            is_near = field.length == 1 or v > 0xff
        else:
            is_near = abs(v - origin) < 8000
        return v + by & M32 if is_near else None

    def learn(self, item, after_body, layout, isa):
        """Learn what an item has become, `layout` being its new one (section 14, Learn)."""
        if item.kind != INSTRUCTION or isa == IN_DATA:
            return
        if isa == IN_ALPHA:
            self.learn_word(u32(item.body, 0), u32(after_body, 0), bool(item.references))
        elif (self.changed or item.body != after_body) and not layout.relative:
            self.learn_instruction(item, after_body, layout)

    def learn_instruction(self, item, after_body, layout):
        """Learn what an i386 instruction has become (section 14, Learn)."""
        before, old = item.body, item.layout
        if (old.opcode, old.map) == (layout.opcode, layout.map):
            pairs = zip(named_registers(old, before), named_registers(layout, after_body))
            for was, became in pairs:
                origin, place = was.place(before), became.place(after_body)
                if (origin < 32) == (place < 32):
                    self.changed |= origin != place
                    self.registers[origin] = place & 31
        for field in fields_of(item):
            if field.is_displacement:
                length, place = layout.displacement_bytes, layout.displacement
            else:
                length, place = layout.immediate_bytes, layout.immediate
            if length != field.length:
                continue
            v, n = field.read(before), field.read_at(after_body, place)
            key = hash32(field.kind, v)
            if n != v:
                self.changed = True
                self.set_number(key, n)
                self.shifts[field.kind] = v, n - v & M32
            elif self.shifts[field.kind][1] != 0 or self.number(key) is not None:
                self.set_number(key, v)

    def learn_word(self, o, n, has_reference):
        """Learn what an Alpha word has become (section 14, Learn)."""
        opcode = o >> 26
        if opcode != n >> 26:
            return
        of = FORMATS[opcode]
        registers = self.registers
        if of == MEMORY_FORMAT:
            registers[ra(o)], registers[rb(o)] = ra(n), rb(n)
            if not has_reference and opcode != JUMP:
                self.learn_word_number(displacement_key(o), o & 0xffff, n & 0xffff)
        elif of == BRANCH_FORMAT:
            if opcode not in (0x30, 0x34):
                registers[ra(o)] = ra(n)
        elif of == OPERATE_FORMAT:
            registers[ra(o)] = ra(n)
            registers[rc(o)] = rc(n)
            if not has_literal(o) and not has_literal(n):
                registers[rb(o)] = rb(n)
            elif has_literal(o) and has_literal(n):
                self.learn_word_number(literal_key(o), literal(o), literal(n))
        elif of == FLOAT_FORMAT:
            for field in (ra, rb, rc):
                registers[32 + field(o)] = field(n)

    def learn_word_number(self, key, was, became):
        """`num(key, a, b)` (section 14, Learn)."""
        self.set_number(key, None if was == became else became)

    def renamed_word(self, word, has_reference):
        """An Alpha word under its new names (section 14, Renamed word)."""
        of = format_of(word)
        if of == MEMORY_FORMAT:
            renamed = self.rename_fields(word, (21, 16))
            known = None if has_reference else self.number(displacement_key(word))
            return renamed if known is None else renamed & ~0xffff | known
        if of == BRANCH_FORMAT:
            return word if word >> 26 in (0x30, 0x34) else self.rename_fields(word, (21,))
        if of == OPERATE_FORMAT:
            if not has_literal(word):
                return self.rename_fields(word, (21, 0, 16))
            known = self.number(literal_key(word))
            renamed = self.rename_fields(word, (21, 0))
            return renamed if known is None else renamed & ~(0xff << 13) | (known & 0xff) << 13
        if of == FLOAT_FORMAT:
            return self.rename_fields(word, (21, 16, 0), 32)
        return word

    def rename_fields(self, word, fields, first=0):
        """A word with the registers in some fields renamed (section 14, Renamed word)."""
        renamed = word
        for bit in fields:
            number = self.registers[first + (word >> bit & 31)] & 31
            renamed = renamed & ~(31 << bit) | number << bit
        return renamed


def has_literal(word):
    """Whether an Alpha word of format Operate has a literal (section 9, Alpha)."""
    return word & 0x1000 != 0


def literal(word):
    """The literal of an Alpha word of format Operate (section 9, Alpha)."""
    return word >> 13 & 0xff


def displacement_key(word):
    """The key of a displacement of Alpha in `numbers` (section 14)."""
    return word & 0xffff | rb(word) << 16


def literal_key(word):
    """The key of a literal of Alpha in `numbers` (section 14)."""
    return 0x80000000 | literal(word) | (word & 0xfe0) << 8


# ------------------------------------------------------------------------------------------ 15 Second pass

class Map:
    """Where the targets of the old file are in the new one (section 15, Map)."""

    def __init__(self, runs, old, new):
        self.old, self.new = old, new
        self.runs = sorted(runs, key=lambda run: (run.old, -run.length, run.new))
        self.begins = [run.old for run in self.runs]
        self.long_runs = [run for run in self.runs if run.length >= 24]
        self.long_begins = [run.old for run in self.long_runs]
        self.learned = {}                       # by old target: (what it became, confirmed)
        self.learned_targets = []               # sorted

    def candidates(self, target, learned):
        """At most three (target, quality) for an old target (section 15, Map)."""
        found = []

        def add(candidate, quality):
            """Add a candidate, if there is room and it is none yet."""
            if len(found) < 3 and all(candidate != known for known, _ in found):
                found.append((candidate, quality))

        o = self.old.offset(target)
        run = None if o is None else self.in_a_run(o)
        if learned and target in self.learned:
            became, confirmed = self.learned[target]
            says_the_same = run is not None and run[0] == became
            add(became, 4 + (confirmed > 1) + 2 * says_the_same)
        if run:
            add(*run)
        if learned:
            for candidate in self.beside_learned(target):
                add(candidate, 1)
        if o is not None:
            for candidate in self.beside_long_runs(o):
                add(candidate, 0)
        if not found:
            add(self.in_same_section(target), 0)
        return found

    def in_a_run(self, o):
        """(address, quality) of what a run says of an old position, or None (section 15, Map, 1)."""
        last = bisect_right(self.begins, o)
        first = None
        for run in self.runs[max(last - 4, 0):last]:
            if o - run.old < run.length:
                address = self.new.address(run.new + (o - run.old))
                if address is not None:
                    if run.length >= 32:
                        return address, 3
                    first = first or (address, 2)
        return first

    def beside_learned(self, target):
        """Where the nearest learned targets would put a target (section 15, Map, 2)."""
        targets = self.learned_targets
        below = bisect_left(targets, target) - 1
        above = bisect_left(targets, target + 1 & M32)
        limit = 1024 if target < self.old.image_size else 4096
        near = []
        for i in (below, above):
            if 0 <= i < len(targets):
                distance = min(target - targets[i] & M32, targets[i] - target & M32)
                if distance < limit:
                    near.append((distance, target + (self.learned[targets[i]][0] - targets[i]) & M32))
        near.sort(key=lambda pair: pair[0])     # stable: below comes first unless that above is nearer
        return [candidate for _, candidate in near]

    def beside_long_runs(self, o):
        """Where the nearest long runs would put an old position (section 15, Map, 3)."""
        section = next((section for section in self.old.sections if section.spans(o)), None)
        if section is None:
            return []
        i = bisect_right(self.long_begins, o)
        found = {}
        for run in self.long_runs[max(i - 1, 0):i + 1]:
            address = self.new.address(run.new)
            if section.spans(run.old) and address is not None:
                found[run] = address + (o - run.old) & M32
        order = list(found)
        if len(order) == 2:
            first, following = order
            if following.old - o < max(o - (first.old + first.length), 0):
                order.reverse()
        return [found[run] for run in order]

    def in_same_section(self, target):
        """As far into the section of the same number (section 15, Map, 4)."""
        number = self.old.section_of(target)
        if number is None or number >= len(self.new.sections):
            return target
        return target + self.new.sections[number].address - self.old.sections[number].address & M32

    def learn(self, old, target):
        """Learn what an old target has become (section 15, Learning and writing)."""
        if old in self.learned:
            became, confirmed = self.learned[old]
            self.learned[old] = (target, confirmed + 1 if became == target else 0)
        elif len(self.learned) < 131072:
            self.learned[old] = (target, 1)
            insort(self.learned_targets, old)


class SecondPass:
    """What resolves the references of the new file (section 15)."""

    def __init__(self, model, first_pass):
        self.model, self.old, self.new = model, first_pass.old, first_pass.new
        self.references = first_pass.references
        self.map = Map(first_pass.runs.runs, self.old, self.new)
        self.paired = [(0, 0)] * 64
        self.right = [[0] * 6 for _ in range(8)]
        self.last = [[(0, 0), (0, 0)] for _ in range(16)]
        self.addresses = [0] * 32
        self.previous = self.distance = 0
        self.parameters = []
        self.calls, self.pool = self.make_pools()

    def make_pools(self):
        """The targets of calls, and other addresses, that the old file tells (section 15, Pools)."""
        calls, addresses = [], []
        for region in self.old.regions:
            at = region.start
            while at < region.end:
                item = item_at(self.old, at, region)
                for form, place in item.references:
                    if form in (ABSOLUTE, HIGH):
                        addresses.append((at + place, form, region))
                    elif is_call(form, item.layout.opcode):
                        calls.append((at + place, form, region))
                at += item.length
        return self.mapped(calls), self.mapped(addresses)

    def mapped(self, references):
        """The targets, in the new file, of references of the old one, sorted (section 15, Pools)."""
        if len(references) > 131072:
            references = references[::-(-len(references) // 131072)]
        targets = (target_of(self.old, at, form, region.start, region.end) for at, form, region in references)
        return sorted(self.map.candidates(target, False)[0][0] for target in targets)

    def resolve_all(self):
        """Resolve all references of the new file, in order (section 15)."""
        for reference in self.references:
            self.resolve(Resolved(self, reference))

    def resolve(self, resolved):
        """Decode, learn and write the target of a reference (section 15)."""
        at, form = resolved.reference.at, resolved.reference.form
        if form == LOW:
            paired_at, target = self.paired[at // 4 & 63]
            self.paired[at // 4 & 63] = (0, 0)
            if paired_at == at and self.model.flag("Paired"):
                write_reference(self.new, at, form, target)
                return
        candidates = [] if resolved.old is None else self.candidates(resolved)
        target = self.chosen(resolved, candidates)
        if target is None:
            best = candidates[0][0] if candidates else None
            if form == RELATIVE8:
                target = self.decode_distance(resolved, best)
            elif resolved.is_near:
                target = self.decode_near(resolved)
            else:
                target = self.decode_address(resolved, best)
        self.learn(resolved, target)
        self.write(resolved, target)

    # Candidates

    def candidates(self, resolved):
        """At most six (target, quality) for a reference (section 15, Candidates)."""
        old, form, alike_at = resolved.old, resolved.reference.form, resolved.reference.twin
        found = self.map.candidates(old, form != RVA)

        def add(candidate, quality):
            """Add a candidate, if there is room and it is none yet."""
            candidate &= M32
            if len(found) < 6 and all(candidate != known for known, _ in found):
                found.append((candidate, quality))

        if form == RVA and all(old != known for known, _ in found):
            found[1:] = [(old, 0)] + found[1:2]
        if resolved.is_near:
            add(resolved.here + (old - (self.old.address(alike_at) or 0)), 8)
        if form in (ABSOLUTE, RVA):
            (o1, n1), (o2, n2) = self.last[resolved.kind]
            add(n1 + (old - o1), 9)
            if resolved.column > 0:
                add(n1 + 15 & ~15, 10)
                add(n2 + (old - o2), 11)
                add(n2 + 15 & ~15, 12)
        return found

    def chosen(self, resolved, candidates):
        """The target of the first candidate that is right, or None (section 15, Decision)."""
        old, form, column, right = resolved.old, resolved.reference.form, resolved.column, self.right
        section = None if old is None else self.old.section_of(old)
        section = 99 if section is None else section
        for i, (candidate, quality) in enumerate(candidates):
            k = form * 2 + resolved.reference.alike + 16 * i
            raw = form == RVA and candidate == old
            before, r = right[0][0], right[form][i]
            s = min(k, 127) * 64 + min(quality, 15) * 4 + (r & 3)
            yes = self.model["Candidate"].decision(
                [
                    (k, resolved.opcode | quality << 8 | column << 16),
                    (candidate - old & M32, k),
                    (section, quality << 8 | k),
                    (before & 255, quality << 10 | raw << 9 | k | len(candidates) << 16),
                ],
                select=[s, before & 63 | i << 6],
                count=[s, (k & 127) << 6 | before & 7 | column << 3],
                refine=(k & 127) * 32 + quality * 2 + (r & 1),
            )
            right[form][i] = (right[form][i] << 1 | yes) & M32
            if i == 0:
                right[0][0] = (right[0][0] << 1 | yes) & M32
            if yes:
                return candidate
        return None

    # Addresses

    def decode_distance(self, resolved, best):
        """Decode the target of a Relative8 (section 15, Addresses)."""
        at, twin, following = resolved.reference.at, resolved.reference.twin, resolved.here + 1
        old, data = self.old.data, self.new.data
        o = old[twin] if twin is not None and twin < len(old) else None
        m = None if best is None else best - following & 255
        o_or_none, m_or_none = (256 if byte is None else byte for byte in (o, m))
        self.distance = self.model["Distance"].symbol(
            8,
            [
                (resolved.opcode, 0),
                (o_or_none, m_or_none),
                (o_or_none, 1),
                (m_or_none, 2),
                (0, 3),
                (self.distance, 4),
                (resolved.opcode, data[at + 1] if at + 1 < len(data) else 0),
            ],
            expectations=[(o, 0), (m, 0)],
            select=[o is not None],
            count=[o is not None],
        )
        return following + sext8(self.distance) & M32

    def decode_near(self, resolved):
        """Decode the target of a jump or branch that is no call (section 15, Addresses)."""
        is_branch = resolved.reference.form == BRANCH
        unit = 2 if is_branch else 0
        following = resolved.here + 4
        back = self.model.flag("Backward on " + ("Alpha" if is_branch else "i386"))
        n = self.model.number(20 + back + 2 * is_branch, 0) << unit
        return following + (~(n | (1 << unit) - 1) if back else n) & M32

    def decode_address(self, resolved, best):
        """Decode a target as four bytes of an address (section 15, Addresses)."""
        k = resolved.reference.form * 4 + resolved.is_call
        pool = self.calls if resolved.is_call else self.pool
        latest, previous = self.addresses[k], self.previous
        t = 0
        for i in range(4):
            shift = 24 - 8 * i

            def part(x):
                """The next byte of an address that begins as this one does, or None."""
                return x >> shift & 255 if x is not None and (i == 0 or x >> shift + 8 == t) else None

            def hint(node):
                """The inputs that the numbers of the pool give for a bit (section 15, Hint)."""
                width = 1 << shift + 8 - node.bit_length()
                start = (t << shift + 8) + (2 * node * width - (1 << shift + 8))
                a, b, c = (bisect_left(pool, start + n * width) for n in range(3))
                z, o = b - a, c - b
                if z == o == 0:
                    return 0, 0
                p = clamp((100 * o + 8) * 65536 // (100 * (z + o) + 16), 16, 65520)
                return STRETCH[p >> 4], 256 if z == 0 else -256 if o == 0 else 0

            low, high = (bisect_left(pool, t + n << shift + 8) for n in range(2))
            middle = part(pool[low + (high - low) // 2]) if high > low else None
            parts = [part(best), middle, part(latest), part(previous)]
            a, b = (256 if byte is None else byte for byte in parts[:2])
            c, pl = range_of(high - low), k << 2 | i
            symbol = self.model["Address"].symbol(
                8,
                [
                    (pl, t),
                    (hash32(pl, t), latest),
                    (hash32(pl, t), previous),
                    (pl, a),
                    (pl, b),
                    (hash32(t, i), 77),
                    (i, 0),
                ],
                expectations=list(zip(parts, (i, i * 16 + c, i, i))),
                select=[k * 4 + i, c * 4 + i],
                count=[k * 4 + i],
                hint=hint,
            )
            t = t << 8 | symbol
        return t

    # Learning and writing

    def learn(self, resolved, target):
        """Learn the target of a reference (section 15, Learning and writing)."""
        form, old = resolved.reference.form, resolved.old
        self.addresses[form * 4 + resolved.is_call] = target
        self.previous = target
        if old is not None:
            self.last[resolved.kind] = [(old, target), self.last[resolved.kind][0]]
            if not resolved.reference.alike and form not in (RELATIVE8, RVA):
                self.map.learn(old, target)

    def write(self, resolved, target):
        """Write a reference; a High tells of the Low that goes with it (section 15, Learning and writing)."""
        at, form, new = resolved.reference.at, resolved.reference.form, self.new
        write_reference(new, at, form, target)
        if form == HIGH:
            self.parameters.append(target + new.base & 0xffff)
            low = consumer(new.data, at, resolved.region.end)
            if low in new.low_halves:
                self.paired[low // 4 & 63] = (low, target)


def is_call(form, opcode):
    """Whether a reference is that of a call (section 15)."""
    return form == RELATIVE32 and opcode == 0xe8 or form == BRANCH and opcode == 0x34


class Resolved:
    """A reference that is resolved, and what is known of it (section 15)."""
    __slots__ = ("reference", "region", "here", "old", "opcode", "is_call", "is_near", "kind", "column")

    def __init__(self, state, reference):
        old, new = state.old, state.new
        at, form, twin = reference.at, reference.form, reference.twin
        self.reference = reference
        self.region = new.region_at(at)
        self.here = new.address(at) or 0
        self.old = None
        if twin is not None:
            region = old.region_at(twin)
            self.old = target_of(old, twin, form, region.start, region.end) if region else 0
        if self.region.isa == IN_ALPHA:
            self.opcode = u32(new.data, at) >> 26
        elif self.region.isa == IN_I386:
            self.opcode = new.data[at - 1] if at > 0 else 0
        else:
            self.opcode = 0xff
        self.is_call = is_call(form, self.opcode)
        self.is_near = form in RELATIVE and not self.is_call
        self.kind = form * 2 + self.is_call & 15
        self.column = self.column_of(new)

    def column_of(self, new):
        """The column in the table of functions of Alpha, from 1 on, or 0 (section 15)."""
        if self.region.isa != IN_DATA or new.image.machine != ALPHA:
            return 0
        address, size = new.image.directory(EXCEPTIONS)
        begin = new.offset(address)
        if begin is None or self.reference.at - begin & M32 >= size:
            return 0
        return (self.reference.at - begin) // 4 % 5 + 1


# ------------------------------------------------------------------------------ 16 Relocations and the end

class Extra(NamedTuple):
    """A relocation beside those of the references (section 10, 6)."""
    address: int
    kind: int
    parameter: int


def all_relocations(second_pass, extras, low_relocations):
    """All base relocations of the new file, in order (section 16)."""
    new = second_pass.new
    parameters = iter(second_pass.parameters)
    waiting = list(reversed(extras))
    for at, form, _, _ in second_pass.references:
        address = new.address(at) or 0
        if form == ABSOLUTE:
            relocation = Extra(address, HIGHLOW, 0)
        elif form == HIGH:
            relocation = Extra(address, HIGHADJ, next(parameters, 0))
        elif form == LOW and low_relocations:
            relocation = Extra(address, LOW_RELOCATION, 0)
        else:
            continue
        while waiting and waiting[-1].address < address:
            yield waiting.pop()
        yield relocation
    yield from reversed(waiting)


def write_relocations(data, at, relocations):
    """Write the table of base relocations (section 16)."""
    page = block = None

    def close():
        """Close the open block."""
        nonlocal at
        if (at - block) % 4 != 0:
            put(data, at, 0, 2)
            at += 2
        put(data, block + 4, at - block, 4)

    for address, kind, parameter in relocations:
        if page != address & ~0xfff:
            if block is not None:
                close()
            page, block = address & ~0xfff, at
            put(data, at, page, 4)
            at += 8
        put(data, at, kind << 12 | address - page, 2)
        at += 2
        if kind == HIGHADJ:
            put(data, at, parameter, 2)
            at += 2
    if block is not None:
        close()


def write_checksum(data, header_at):
    """Write the checksum of the new image (section 16)."""
    at = header_at + 88
    total = sum(data[::2]) + (sum(data[1::2]) << 8)
    for field in (at, at + 2):
        total = max(total - u16(data, field), 0)
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    put(data, at, total + len(data), 4)


# ---------------------------------------------------------------------------------- 10 Order of the stream

MOST = 1 << 30


def decode_delta(old_bytes, delta, limit=MOST):
    """The new file, made out of the old one and a delta (sections 2 and 10)."""
    crc, stream = read_head(delta)
    if len(old_bytes) > MOST:
        raise Refused("too large: the old file")
    model = Model(stream)
    new_data = decode_stream(model, bytearray(old_bytes), min(limit, MOST))
    model.coder.check_end()
    if zlib.crc32(new_data, zlib.crc32(old_bytes)) & 0xffff != crc:
        raise Refused("wrong checksum of the files")
    return bytes(new_data)


def decode_stream(model, old_data, limit):
    """All that the stream tells (section 10)."""
    unmask_rich(old_data)
    # 1: the size
    size = len(old_data) if model.flag("SameSize") else model.number(0, 0)
    if size > limit:
        raise Refused("too large: the new file")
    # 2: what the old file is
    image = None if model.flag("Plain") else read_image(old_data, len(old_data))
    old = File(bytes(old_data), image)
    if image:
        find_pointers_and_halves(old)
    total = min(4 * (old.size + size), M32)
    model.slots.make_anew(clamp(total.bit_length() - 1, 16, 23))
    # 3: its code
    if model.flag("Prime"):
        prime(model, old)
    # 4, 5: headers
    headers = image.headers if image else 0
    if not model.flag("SameHeaders"):
        headers = model.number(1, 0)
    if headers > size:
        raise Refused("out of bounds: headers larger than the new file")
    new = File(bytearray(size), None)
    first_pass = FirstPass(model, old, new)
    if headers > 0:
        first_pass.code_region(Region(0, headers))
        image = read_image(new.data[:headers], size)
        if image is None or image.headers != headers:
            raise Refused("out of bounds: headers that are no image of this size")
        new = first_pass.new = File(new.data, image)
        first_pass.stamp = image.stamp
        decode_image(model, first_pass)
    else:
        for region in new.regions:
            first_pass.code_region(region)
    return new.data


def decode_image(model, first_pass):
    """What the stream tells of an image behind its headers (section 10, 6 to 9)."""
    new = first_pass.new
    # 6: what follows from the rest
    rich, checksum, regenerate = (model.flag(name) for name in ("Rich", "Checksum", "Regenerate"))
    low_relocations, extras = False, []
    if regenerate:
        low_relocations = new.image.machine == ALPHA and model.flag("LowRelocations")
        extras = decode_extras(model, new.size)
    # 7: regions
    for region in new.regions:
        if region.start >= new.image.headers:
            decode_region(first_pass, region, regenerate)
    # 8: references
    second_pass = SecondPass(model, first_pass)
    second_pass.resolve_all()
    # 9: what follows
    table = new.offset(new.image.directory(RELOCATIONS)[0])
    if regenerate and table is not None:
        write_relocations(new.data, table, all_relocations(second_pass, extras, low_relocations))
    if rich:
        mask_rich_again(new.data)
    if checksum:
        write_checksum(new.data, new.image.header_at)


def decode_extras(model, size):
    """The relocations beside those of the references (section 10, 6)."""
    count = model.number(30, 0)
    if count > min(65536, size):
        raise Refused("out of bounds: more relocations than the new file has room for")
    extras, address = [], 0
    for _ in range(count):
        address = address + model.number(31, 0) & M32
        kind = model.number(32, 0) & 15
        parameter = model.number(33, 0) & 0xffff if kind == HIGHADJ else 0
        extras.append(Extra(address, kind, parameter))
    return extras


def decode_region(first_pass, region, regenerate):
    """Make a region of an image, less the table of relocations that is computed (section 10, 7)."""
    old, new = first_pass.old, first_pass.new
    twin = None
    if region.number is not None and region.number < len(old.sections):
        twin = old.sections[region.number].offset
    if regenerate and region.number is not None:
        address, size = new.image.directory(RELOCATIONS)
        of_table = next((s for s in new.sections if s.address == address), None)
        if of_table == region.section:
            start = region.start + size
            if start >= region.end:
                first_pass.old_at = first_pass.old_at if twin is None else twin
                return
            if start != region.start and twin is not None:
                twin = twin + (old.image.directory(RELOCATIONS)[1]) & M32
            region = region._replace(start=start)
    first_pass.code_region(region, twin)


# ------------------------------------------------------------------------------------------------ the tool

def main(arguments):
    """The command line."""
    if len(arguments) not in (3, 4):
        raise SystemExit(__doc__)
    old, delta, new = map(Path, arguments[:3])
    limit = int(arguments[3]) if len(arguments) == 4 else MOST
    try:
        decoded = decode_delta(old.read_bytes(), delta.read_bytes(), limit)
    except Refused as refused:
        raise SystemExit(f"{delta}: {refused}") from None
    new.write_bytes(decoded)


if __name__ == "__main__":
    main(sys.argv[1:])
