"""Writes runs.gguf, the reference for the types whose runs of numbers share scales: python3 runs.py (numpy, gguf 0.19.0).

For each type random blocks of three seeds, then the edges: all bytes zero, the largest scale with all bits of the codes set,
negative, negative zero and subnormal scales. Beside each tensor X lies expected.X, what the gguf package makes of it, in F32.
"""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, dequantize
from gguf.constants import GGML_QUANT_SIZES

# Where the 16-bit scales and minima lie.
SCALES = {
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.IQ4_NL: [0],
    Type.Q2_K: [80, 82],
    Type.Q3_K: [108],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
    Type.IQ4_XS: [0],
}
EDGES = [0x0000, 0x7BFF, 0xFBFF, 0x8000, 0x0001, 0x03FF, 0x83FF, 0x0400]

writer = GGUFWriter("runs.gguf", "test")


def add(name, kind, raw):
    writer.add_tensor(name, raw, raw_dtype=kind)
    writer.add_tensor("expected." + name, np.asarray(dequantize(raw, kind), dtype=np.float32))


for kind, places in SCALES.items():
    block, size = GGML_QUANT_SIZES[kind]
    rows, per_row = (2, 3) if block == 32 else (2, 1)
    for seed in (1, 2, 3):
        rng = np.random.default_rng([seed, kind.value])
        raw = rng.integers(0, 256, size=(rows * per_row, size), dtype=np.uint8)
        for place in places:
            scales = rng.normal(size=len(raw)) * 10.0 ** rng.integers(-7, 3, size=len(raw))
            raw[:, place : place + 2] = scales.astype("<f2").reshape(-1, 1).view(np.uint8)
        add(f"{kind.name}.{seed}", kind, raw.reshape(rows, per_row * size))
    raw = np.random.default_rng(kind.value).integers(0, 256, size=(len(EDGES), size), dtype=np.uint8)
    raw[0] = 0
    raw[1] = 255
    for i, bits in enumerate(EDGES):
        for place in places:
            raw[i, place : place + 2] = np.array([bits], dtype="<u2").view(np.uint8)
    add(f"{kind.name}.edges", kind, raw)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
