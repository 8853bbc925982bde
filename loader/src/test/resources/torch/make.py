"""Makes the files of this folder with torch: python make.py (torch 2.x). Values are simple, so that the tests can say them."""

from collections import OrderedDict
import os

import torch

here = os.path.dirname(os.path.abspath(__file__))


def save(name, value, **options):
    torch.save(value, os.path.join(here, name), **options)


def ramp(*shape, dtype=torch.float32):
    n = 1
    for s in shape:
        n *= s
    return (torch.arange(n, dtype=torch.float32) / 8 - 1).reshape(shape).to(dtype)


wide = ramp(4, 6)
save(
    "mixed.pt",
    {
        "f32": wide,
        "bf16": ramp(5, dtype=torch.bfloat16),
        "f16": ramp(5, dtype=torch.float16),
        "f64": ramp(5, dtype=torch.float64),
        "i64": torch.tensor([-(2**40), 3]),
        "i32": torch.tensor([[1, -2]], dtype=torch.int32),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "i8": torch.tensor([-1, 127], dtype=torch.int8),
        "i16": torch.tensor([-300], dtype=torch.int16),
        "bool": torch.tensor([True, False]),
        "column": wide[:, 1],
        "window": wide[1:3, 2:5],
        "scalar": torch.tensor(0.5),
        "list": [1, 2.5, "text \u00e9", None, True, (3, [4])],
        7: {"nested": {"deep": wide[0]}},
        -1: 2**40,
        "dtype": torch.bfloat16,
        "ordered": OrderedDict(a=1, b=2),
    },
)
model = torch.nn.Linear(3, 2)
with torch.no_grad():
    model.weight.copy_(ramp(2, 3))
    model.bias.copy_(ramp(2))
save("state_dict.pt", model.state_dict())
save("protocol4.pt", [ramp(3)], pickle_protocol=4)
save("module.pt", model)
