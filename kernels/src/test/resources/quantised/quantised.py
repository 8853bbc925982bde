"""Writes quantised.gguf, the reference for making blocks: python3 quantised.py (needs numpy and gguf 0.19.0).

Beside each tensor X in F32 lie X.Q8_0 and X.Q4_1, what the gguf package makes of it.
"""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, quantize

rng = np.random.default_rng(815)
writer = GGUFWriter("quantised.gguf", "test")
ROWS, COLUMNS = 12, 96
size = (ROWS, COLUMNS)

blocks = np.repeat(10.0 ** rng.uniform(-1.5, 3, size=(ROWS, COLUMNS // 32)), 32, axis=1)
ties = rng.integers(-254, 255, size=size) / 2.0
ties[:, ::32] = 127
same = np.repeat(rng.normal(size=(ROWS, COLUMNS // 32)), 32, axis=1)
same[0] = 0

for name, values in {
    "normal": rng.normal(size=size),
    "weights": rng.normal(size=size) * 0.04,
    "tails": rng.standard_t(2, size=size),
    "positive": rng.uniform(5, 6, size=size),
    "scales": rng.normal(size=size) * blocks,
    "ties": ties,
    "same": same,
}.items():
    x = values.astype(np.float32)
    writer.add_tensor(name, x)
    for kind in (Type.Q8_0, Type.Q4_1):
        writer.add_tensor(f"{name}.{kind.name}", quantize(x, kind), raw_dtype=kind)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
