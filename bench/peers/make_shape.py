"""A model of a real model's shape with random weights, as a Hugging Face directory and as a GGUF file of the same numbers.

    make_shape.py --out DIR [--shape qwen2.5-0.5b] [--seed 1]

Writes DIR/{config.json, model.safetensors, tokenizer.json, tokenizer_config.json} in bfloat16 and DIR/NAME.gguf. Speed
does not depend on the values of weights, so that engines can be compared at a shape without its weights. The tokenizer is
a byte-level BPE of the right number of tokens without any use for language. Needs torch, transformers, gguf, safetensors.
"""

import argparse
import json
import os

SHAPES = {
    "qwen2.5-0.5b": dict(
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        vocab_size=151936,
        max_position_embeddings=32768,
        rope_theta=1000000.0,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    ),
    # For a rehearsal of this script.
    "tiny": dict(
        hidden_size=128,
        intermediate_size=320,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=1024,
        max_position_embeddings=2048,
        rope_theta=1000000.0,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    ),
}


def byte_characters():
    """The printable characters that stand for the 256 bytes in byte-level vocabularies."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("\u00a1"), ord("\u00ac") + 1), *range(ord("\u00ae"), ord("\u00ff") + 1)]
    others = [b for b in range(256) if b not in plain]
    codes = {b: chr(b) for b in plain}
    codes.update({b: chr(256 + i) for i, b in enumerate(others)})
    return [codes[b] for b in range(256)]


def vocabulary(size):
    """Bytes, a few merges of two letters, fillers, and one token that ends a text."""
    tokens = byte_characters()
    letters = "etaoinsrhl"
    merges = [(a, b) for a in letters for b in letters]
    tokens += [a + b for a, b in merges]
    tokens += [f"<filler {i}>" for i in range(len(tokens), size - 1)]
    tokens.append("<end>")
    return tokens, merges


def tensors(s, seed):
    """(Hugging Face name, GGUF name, bfloat16 tensor), one by one."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    head = s["hidden_size"] // s["num_attention_heads"]
    d, f, kv = s["hidden_size"], s["intermediate_size"], head * s["num_key_value_heads"]

    def random(*shape, centre=0.0, spread=None):
        spread = shape[-1] ** -0.5 if spread is None else spread
        return (torch.randn(*shape, generator=generator) * spread + centre).bfloat16()

    yield "model.embed_tokens.weight", "token_embd.weight", random(s["vocab_size"], d)
    for b in range(s["num_hidden_layers"]):
        hf, gg = f"model.layers.{b}.", f"blk.{b}."
        yield hf + "input_layernorm.weight", gg + "attn_norm.weight", random(d, centre=1.0, spread=0.1)
        for theirs, ours, n in (("q_proj", "attn_q", d), ("k_proj", "attn_k", kv), ("v_proj", "attn_v", kv)):
            yield f"{hf}self_attn.{theirs}.weight", f"{gg}{ours}.weight", random(n, d)
            yield f"{hf}self_attn.{theirs}.bias", f"{gg}{ours}.bias", random(n, spread=0.05)
        yield hf + "self_attn.o_proj.weight", gg + "attn_output.weight", random(d, d)
        yield hf + "post_attention_layernorm.weight", gg + "ffn_norm.weight", random(d, centre=1.0, spread=0.1)
        yield hf + "mlp.gate_proj.weight", gg + "ffn_gate.weight", random(f, d)
        yield hf + "mlp.up_proj.weight", gg + "ffn_up.weight", random(f, d)
        yield hf + "mlp.down_proj.weight", gg + "ffn_down.weight", random(d, f)
    yield "model.norm.weight", "output_norm.weight", random(d, centre=1.0, spread=0.1)


def write_tokenizer(out, tokens, merges):
    added = [{"id": len(tokens) - 1, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True}]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {t: i for i, t in enumerate(tokens[:-1])}, "merges": [list(m) for m in merges]},
    }
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(tokenizer, f, ensure_ascii=False)
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>"}, f)


def write_config(out, s, end):
    config = dict(s, architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu", torch_dtype="bfloat16",
                  attention_dropout=0.0, initializer_range=0.02, use_cache=True, bos_token_id=end, eos_token_id=end,
                  use_sliding_window=False, sliding_window=None, max_window_layers=s["num_hidden_layers"])
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(config, f, indent=2)


def gguf_writer(path, name, s, tokens, merges):
    import gguf

    w = gguf.GGUFWriter(path, "qwen2")
    w.add_name(name)
    w.add_context_length(s["max_position_embeddings"])
    w.add_embedding_length(s["hidden_size"])
    w.add_block_count(s["num_hidden_layers"])
    w.add_feed_forward_length(s["intermediate_size"])
    w.add_head_count(s["num_attention_heads"])
    w.add_head_count_kv(s["num_key_value_heads"])
    w.add_rope_freq_base(s["rope_theta"])
    w.add_layer_norm_rms_eps(s["rms_norm_eps"])
    w.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    control = len(tokens) - 1
    w.add_token_types([gguf.TokenType.CONTROL if i == control else gguf.TokenType.NORMAL for i in range(len(tokens))])
    w.add_token_merges([" ".join(m) for m in merges])
    w.add_bos_token_id(control)
    w.add_eos_token_id(control)
    w.add_add_bos_token(False)
    return w


def main():
    parser = argparse.ArgumentParser(description="random weights in the shape of a model, for safetensors and GGUF")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--shape", choices=list(SHAPES), default="qwen2.5-0.5b")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    import gguf
    import torch
    from safetensors.torch import save_file

    s = SHAPES[args.shape]
    os.makedirs(args.out, exist_ok=True)
    tokens, merges = vocabulary(s["vocab_size"])
    write_tokenizer(args.out, tokens, merges)
    write_config(args.out, s, len(tokens) - 1)
    path = os.path.join(args.out, f"{args.shape}-bf16.gguf")
    writer = gguf_writer(path, args.shape, s, tokens, merges)
    kept, parameters = {}, 0
    for hf, name, tensor in tensors(s, args.seed):
        kept[hf] = tensor
        parameters += tensor.numel()
        if tensor.dim() > 1:
            stored = tensor.view(torch.int16).numpy().view("uint8")
            writer.add_tensor(name, stored, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(name, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(kept, os.path.join(args.out, "model.safetensors"), metadata={"format": "pt"})
    print(f"{args.shape}: {parameters / 1e6:.1f} M parameters in {args.out}")


if __name__ == "__main__":
    main()
