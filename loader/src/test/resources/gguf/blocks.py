"""Writes blocks.gguf, the reference for dequantisation: python3 blocks.py (needs numpy and gguf 0.19.0).

For every readable type a few tensors of random blocks: scales of either sign, from subnormal to large, all quants. Beside
each tensor X lies expected.X, what the gguf package makes of it, in F32.
"""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, dequantize
from gguf.constants import GGML_QUANT_SIZES

SHAPES = {
    Type.F32: [(13,), (3, 5)],
    Type.F16: [(7,), (3, 5), (2, 3, 2)],
    Type.BF16: [(7,), (5, 3)],
    Type.Q8_0: [(96,), (5, 32), (2, 3, 32)],
    Type.Q4_0: [(32,), (3, 64)],
    Type.Q4_1: [(32,), (3, 64)],
}

rng = np.random.default_rng(4711)
writer = GGUFWriter("blocks.gguf", "test")


def f16(blocks):
    values = rng.normal(size=blocks) * 10.0 ** rng.integers(-7, 3, size=blocks)
    return values.astype("<f2").reshape(-1, 1).view(np.uint8)


for kind, shapes in SHAPES.items():
    for shape in shapes:
        name = f"{kind.name}." + "x".join(map(str, shape))
        block, size = GGML_QUANT_SIZES[kind]
        count = int(np.prod(shape)) // block
        raw = rng.integers(0, 256, size=(count, size), dtype=np.uint8)
        if kind == Type.F32:
            raw = rng.normal(size=(count, 1)).astype("<f4").view(np.uint8)
        if kind == Type.BF16:
            raw = rng.normal(size=(count, 1)).astype("<f4").view(np.uint8)[:, 2:].copy()
        if kind == Type.F16 or block > 1:
            raw[:, :2] = f16(count)
        if kind == Type.Q4_1:
            raw[:, 2:4] = f16(count)
        raw = raw.reshape(*shape[:-1], shape[-1] // block * size)
        writer.add_tensor(name, raw, raw_dtype=kind)
        writer.add_tensor("expected." + name, np.asarray(dequantize(raw, kind), dtype=np.float32).reshape(shape))

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
