"""Random models in the Hugging Face layout, for the GPU check: tiny ones with reference logits, large ones for speed.

    gpu_models.py list                            the tiny models, one name per line
    gpu_models.py tiny --out DIR [NAME...]        DIR/NAME/{config.json, model.safetensors, reference.safetensors}
    gpu_models.py shapes NAME --out DIR           a model of that shape without a reference, in shards

The weights of the tiny models are random, rounded to bfloat16 and stored so. Norm weights lie around 1 (or 0, where the
model adds the 1 itself) and biases around 0, but not at it: a loader that drops one of them fails. reference.safetensors
holds input_ids [N] and logits [N, V], computed by transformers in float32 from the rounded weights.
"""

import argparse
import json
import os
import sys
import time

TOKENS = 48
SHARD_BYTES = 5 << 30

# What all tiny models share; a family renames or adds to it. Head counts that differ for queries and keys, a width that
# is no power of two, and three blocks.
TINY = dict(
    hidden_size=192,
    intermediate_size=352,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    vocab_size=520,
    max_position_embeddings=512,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
    tie_word_embeddings=False,
)
LLAMA3 = dict(
    rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=128
)
EXPERTS = dict(num_experts_per_tok=2)

# name: (model type, settings)
FAMILIES = {
    "llama": ("llama", dict(rope_theta=500000.0, rms_norm_eps=1e-5)),
    "llama_tied": ("llama", dict(tie_word_embeddings=True)),
    "llama_bias": ("llama", dict(attention_bias=True, mlp_bias=True)),
    "llama3_rope": ("llama", dict(rope_theta=500000.0, rope_scaling=LLAMA3)),
    "qwen2": ("qwen2", dict(rope_theta=1000000.0, tie_word_embeddings=True)),
    "qwen2_window": ("qwen2", dict(use_sliding_window=True, sliding_window=16, max_window_layers=0)),
    "qwen3": ("qwen3", dict(head_dim=48, rope_theta=1000000.0)),
    "qwen3_moe": ("qwen3_moe", dict(head_dim=48, num_experts=4, moe_intermediate_size=96, **EXPERTS)),
    "mistral": ("mistral", dict(sliding_window=16)),
    "mixtral": ("mixtral", dict(num_local_experts=4, sliding_window=None, **EXPERTS)),
    "gemma2": ("gemma2", dict(head_dim=32, query_pre_attn_scalar=32, sliding_window=16, tie_word_embeddings=True)),
    "gemma3_text": (
        "gemma3_text",
        dict(head_dim=32, query_pre_attn_scalar=32, sliding_window=16, tie_word_embeddings=True),
    ),
    "phi3": ("phi3", dict(sliding_window=None)),
    "olmo2": ("olmo2", dict()),
    "granite": (
        "granite",
        dict(embedding_multiplier=6.0, residual_multiplier=0.4, attention_multiplier=0.1, logits_scaling=2.0),
    ),
    "smollm3": ("smollm3", dict(no_rope_layer_interval=2)),
    "cohere": ("cohere", dict(use_qk_norm=False, logit_scale=0.25, tie_word_embeddings=True)),
    "gpt2": ("gpt2", dict(n_embd=192, n_layer=3, n_head=6, n_positions=512, tie_word_embeddings=True)),
    "gpt_neox": ("gpt_neox", dict(rotary_pct=0.5)),
}

# Smaller still: what an emulated GPU can decode in seconds.
REHEARSAL = dict(
    TINY, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=200
)
LARGE_CONTEXT = dict(max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, pad_token_id=None)

# Shapes for speed; the tiny ones are for rehearsals.
SHAPES = {
    "llama-3.1-8b": (
        "llama",
        dict(
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            vocab_size=128256,
            rope_theta=500000.0,
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            **LARGE_CONTEXT,
        ),
    ),
    "qwen2.5-7b": (
        "qwen2",
        dict(
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            vocab_size=152064,
            rope_theta=1000000.0,
            rms_norm_eps=1e-6,
            tie_word_embeddings=False,
            **LARGE_CONTEXT,
        ),
    ),
    "tiny-llama": ("llama", REHEARSAL),
    "tiny-qwen": ("qwen2", REHEARSAL),
}


def config_of(model_type, settings):
    from transformers import AutoConfig

    return AutoConfig.for_model(model_type, **settings)


def fill(model, model_type, generator):
    """Random weights of a size that keeps the residual stream near 1 and makes attention uneven, rounded to bfloat16."""
    import torch

    norm_centre = 0.0 if model_type.startswith("gemma") else 1.0
    with torch.no_grad():
        for name, p in model.named_parameters():
            leaf = name.rsplit(".", 1)[0]
            if name.endswith("bias"):
                p.normal_(0.0, 0.05, generator=generator)
            elif "norm" in leaf or ".ln_" in name or ".ln_f" in name:
                p.normal_(norm_centre, 0.1, generator=generator)
            elif "embed" in name or ".wte" in name or ".wpe" in name:
                p.normal_(0.0, 1.0, generator=generator)
            else:
                p.normal_(0.0, p.shape[-1] ** -0.5, generator=generator)
            p.copy_(p.bfloat16().float())


def tiny(name, out):
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    model_type, settings = FAMILIES[name]
    config = config_of(model_type, {**TINY, **settings})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    fill(model, model_type, torch.Generator().manual_seed(5))
    folder = os.path.join(out, name)
    model.save_pretrained(folder, state_dict={k: v.bfloat16() for k, v in model.state_dict().items()})
    set_stored_type(folder)
    ids = torch.randint(3, config.vocab_size, (1, TOKENS), generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        logits = model(ids).logits[0].float()
        short = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="eager").eval()
        distance = (short(ids).logits[0].float() - logits).norm() / logits.norm()
    reference = {"input_ids": ids[0].contiguous(), "logits": logits.contiguous()}
    save_file(reference, os.path.join(folder, "reference.safetensors"))
    print(f"{name}: {model.num_parameters()} parameters, torch in bfloat16 is {distance:.1e} away from its float32")


def set_stored_type(folder):
    """config.json names the type of the file, not the one that the reference was computed in."""
    path = os.path.join(folder, "config.json")
    with open(path) as f:
        config = json.load(f)
    config.pop("torch_dtype", None)
    config["dtype"] = "bfloat16"
    with open(path, "w") as f:
        json.dump(config, f, indent=2)


def shapes(name, out):
    """Writes shard after shard, so that no more than one is in memory besides what the device holds."""
    import torch
    from transformers import AutoModelForCausalLM

    model_type, settings = SHAPES[name]
    config = config_of(model_type, settings)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(1234)
    os.makedirs(out, exist_ok=True)
    start = time.perf_counter()
    shard, in_shard, files, total = {}, 0, [], 0
    for key, p in model.state_dict().items():
        centre, spread = (1.0, 0.1) if "norm" in key else (0.0, 0.05 if key.endswith("bias") else p.shape[-1] ** -0.5)
        tensor = torch.empty(p.shape, dtype=torch.bfloat16, device=device)
        shard[key] = tensor.normal_(centre, spread, generator=generator).cpu()
        in_shard += tensor.nbytes
        total += tensor.nbytes
        if in_shard >= SHARD_BYTES:
            files.append(write_shard(shard, len(files), out))
            shard, in_shard = {}, 0
    if shard:
        files.append(write_shard(shard, len(files), out))
    write_index(files, total, out)
    config.architectures = [type(model).__name__]
    config.save_pretrained(out)
    set_stored_type(out)
    print(f"{name}: {total / 1e9:.2f} GB written in {time.perf_counter() - start:.1f} s")


def write_shard(shard, number, out):
    from safetensors.torch import save_file

    name = f"model-{number + 1:05d}.safetensors"
    save_file(shard, os.path.join(out, name), metadata={"format": "pt"})
    return name, list(shard)


def write_index(files, total, out):
    where = {key: file for file, keys in files for key in keys}
    with open(os.path.join(out, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, f)


def main():
    parser = argparse.ArgumentParser(description="random models for the GPU check")
    parser.add_argument("what", choices=["list", "tiny", "shapes"])
    parser.add_argument("names", nargs="*", help="models; all tiny ones if none is named")
    parser.add_argument("--out", default=".", help="folder to write to")
    args = parser.parse_intermixed_args()
    if args.what == "list":
        print("\n".join(FAMILIES))
        return 0
    os.environ["TQDM_DISABLE"] = "1"
    known = FAMILIES if args.what == "tiny" else SHAPES
    for name in args.names:
        if name not in known:
            parser.error(f"{name}: expected one of {', '.join(known)}")
    if args.what == "shapes":
        if len(args.names) != 1:
            parser.error("expected one shape")
        shapes(args.names[0], args.out)
        return 0
    import transformers

    transformers.logging.set_verbosity_error()
    failed = 0
    for name in args.names or FAMILIES:
        try:
            tiny(name, args.out)
        except Exception as e:  # an older transformers may lack a family; the others are still wanted
            failed += 1
            print(f"{name}: not made by transformers {transformers.__version__}: {e!r}"[:300])
    return 1 if failed == len(args.names or FAMILIES) else 0


if __name__ == "__main__":
    sys.exit(main())
