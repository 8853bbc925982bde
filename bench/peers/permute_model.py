"""Writes a model that computes the same as a GGUF file of the llama architecture, with its numbers in another order.

permute_model.py IN.gguf OUT.gguf [SEED]

The channels of the residual, the hidden units of each MLP and the channels of each head's values are put in a random order,
which changes nothing but the order of sums. Blocks of 32 along a row then hold numbers that lay in different blocks, so
weights that came from blocks no longer fit into new ones: quantising them again is as hard as the first time. All
matrices are written as F32.
"""
import sys

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize

source, target = sys.argv[1:3]
random = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
reader = GGUFReader(source)
fields = reader.fields


def value(key):
    return fields[key].contents()


arch = value("general.architecture")
heads = value(f"{arch}.attention.head_count")
groups = value(f"{arch}.attention.head_count_kv")
blocks = value(f"{arch}.block_count")
tensors = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
width = tensors["output_norm.weight"].shape[0]
residual = random.permutation(width)


def per_head(order, count):
    size = order.shape[1]
    return np.concatenate([order[h * groups // count] + h * size for h in range(count)])


for name in ("token_embd.weight", "output.weight"):
    if name in tensors:
        tensors[name] = tensors[name][:, residual]
tensors["output_norm.weight"] = tensors["output_norm.weight"][residual]
for b in range(blocks):
    p = f"blk.{b}."
    hidden = random.permutation(tensors[p + "ffn_gate.weight"].shape[0])
    size = tensors[p + "attn_v.weight"].shape[0] // groups
    channels = np.stack([random.permutation(size) for _ in range(groups)])
    for name in ("attn_norm.weight", "ffn_norm.weight"):
        tensors[p + name] = tensors[p + name][residual]
    for name in ("attn_q.weight", "attn_k.weight", "attn_v.weight", "ffn_gate.weight", "ffn_up.weight"):
        tensors[p + name] = tensors[p + name][:, residual]
    for name in ("ffn_gate.weight", "ffn_up.weight"):
        tensors[p + name] = tensors[p + name][hidden]
    tensors[p + "ffn_down.weight"] = tensors[p + "ffn_down.weight"][residual][:, hidden]
    tensors[p + "attn_v.weight"] = tensors[p + "attn_v.weight"][per_head(channels, groups)]
    tensors[p + "attn_output.weight"] = tensors[p + "attn_output.weight"][residual][:, per_head(channels, heads)]

writer = GGUFWriter(target, arch)
for key, field in fields.items():
    if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type", "general.quantization_version"):
        continue
    kind = field.types[0]
    if kind == GGUFValueType.ARRAY:
        writer.add_key_value(key, value(key), kind, sub_type=field.types[-1])
    else:
        writer.add_key_value(key, value(key), kind)
for t in reader.tensors:
    writer.add_tensor(t.name, np.ascontiguousarray(tensors[t.name]))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
