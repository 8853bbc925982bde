"""Makes the files of this folder as other tools would: python make.py (torch, safetensors, gguf, numpy).

Every value is i / 8 - 1 + 100 * layer for element i, so that the tests can say what must be where.
"""

import json
import os

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
WIDTH = 6


def path(name):
    return os.path.join(here, name)


def direction(layer):
    return torch.arange(WIDTH, dtype=torch.float32) / 8 - 1 + 100 * layer


# steering-lite: layer<b>.v and its configuration
lite = {"method": "mean_diff", "layers": [2, 3], "target": "residual", "target_submodule": None,
        "coeff": 1.5, "dtype": "bfloat16", "seed": 0, "normalize": False, "subtract_corpus_mean": False}
save_file({f"layer{b}.v": direction(b) for b in (2, 3)}, path("lite.safetensors"), metadata={"cfg": json.dumps(lite)})
save_file({f"layer{b}.v": direction(b).bfloat16() for b in (2, 3)}, path("lite_ablation.safetensors"),
          metadata={"cfg": json.dumps(lite | {"method": "directional_ablation", "coeff": 0.0})})
save_file({"layer2.v": direction(2)}, path("lite_other.safetensors"),
          metadata={"cfg": json.dumps(lite | {"method": "angular_steering"})})

# saklas: layer_<b> and a JSON file beside it
save_file({f"layer_{b}": direction(b) for b in (1, 4)}, path("saklas.safetensors"))
with open(path("saklas.json"), "w") as out:
    json.dump({"method": "difference_of_means", "version": 2}, out)

# CAST: JSON; AISteer360 stores rows
for name, wrap in (("cast.svec", lambda v: v), ("rows.svec", lambda v: [v, v])):
    with open(path(name), "w") as out:
        json.dump({"model_type": "llama", "directions": {str(b): wrap((direction(b) / 3).tolist()) for b in (0, 5)},
                   "explained_variances": {"0": 0.5, "5": 0.25}}, out)

# persona_vectors, refusal_direction, CAA, a dict by layer
torch.save(torch.stack([direction(l) for l in range(5)]), path("kind_response_avg_diff.pt"))
torch.save(torch.stack([direction(l) for l in range(4)]), path("plain_matrix.pt"))
os.makedirs(path("refusal"), exist_ok=True)
torch.save(direction(3).double(), path("refusal/direction.pt"))
with open(path("refusal/direction_metadata.json"), "w") as out:
    json.dump({"pos": -2, "layer": 3}, out)
torch.save(torch.stack([torch.stack([direction(l) + 1000 * p for l in range(3)]) for p in range(2)]).double(),
           path("refusal/mean_diffs.pt"))
torch.save(direction(13), path("vec_layer_13_Llama-2-7b-chat-hf.pt"))
torch.save({2: direction(2), 7: direction(7)}, path("by_layer.pt"))


# GGUF: GLP with several directions per block, and the list of layers
def control(name, tensors, keys):
    writer = gguf.GGUFWriter(path(name), "controlvector")
    for key, value in keys.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        else:
            writer.add_uint32(key, value)
    for tensor, values in tensors.items():
        writer.add_tensor(tensor, values.numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


control("glp_rank2.gguf", {f"direction.{b}.{j}": direction(b) + j for b in (1, 2) for j in (0, 1)},
        {"glp.mode": "project", "glp.spec_version": 2, "glp.alpha_default": 0.5, "glp.rank": 2,
         "glp.hook_point": "ffn_out_pre_residual", "glp.layer_ids_zero_based": [1, 2]})
