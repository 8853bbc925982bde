"""Peer of `tiller bench gpu`: what the same machine does in torch, with the same weights and shapes.

`tiller bench gpu --peer "python3 bench/peers/gpu_peer.py [--compile SECONDS]"` starts this script. It loads the model,
measures bandwidths, warms up and prints one line of JSON with its name and these facts; for each line "round" on standard
input it runs every row once and answers with one line. Without a GPU it runs on the CPU, and nothing is captured.

Rows of decode, each of the batch sizes asked for:
    eager      one Python call per operation
    graph      the same operations captured once as a CUDA graph, matmuls by cuBLAS
    compiled   blocks and head through torch.compile, then captured
Rows of prefill: prefill_N (eager, flash attention) and matmuls_N (the matmuls of the blocks alone, by cuBLAS).

The loop is the leanest that torch allows: weights fused to qkv and gate|up, static caches, greedy choice on the device,
no token read back between steps, which Tiller does. Llama and Qwen2 shapes.
"""

import argparse
import functools
import glob
import json
import os
import signal
import sys
import time


def arguments():
    p = argparse.ArgumentParser(description="torch as a peer of tiller bench gpu")
    p.add_argument("--model", required=True, help="Hugging Face directory with safetensors files")
    p.add_argument("--batch", default="1,8,64,256", help="sequences decoded side by side")
    p.add_argument("--prefill", default="512,4096", help="lengths of prompts")
    p.add_argument("--context", type=int, default=32, help="tokens before the first decoded one")
    p.add_argument("--decode", type=int, default=32, help="tokens decoded per sequence")
    p.add_argument("--compile", type=float, default=0, metavar="SECONDS", help="time that compiling may take; 0 = none")
    p.add_argument("--device", choices=["cuda", "cpu"], help="default: cuda where there is one")
    return p.parse_args()


args = arguments()
# The caller owns standard output; whatever a library prints goes to standard error.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
on_gpu = device == "cuda"


class Weights:
    """A model with fused matrices, and its rotary table."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as f:
            c = json.load(f)
        self.heads, self.kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        self.width = c.get("head_dim") or c["hidden_size"] // self.heads
        self.eps = c["rms_norm_eps"]
        rope = c.get("rope_parameters") or c.get("rope_scaling") or {}
        if rope.get("rope_type", "default") != "default" or c["model_type"] not in ("llama", "qwen2"):
            raise SystemExit(f"{folder}: expected a llama or qwen2 model with plain rotary positions")
        self.split = [self.heads * self.width, self.kv_heads * self.width, self.kv_heads * self.width]
        t = {}
        for file in sorted(glob.glob(os.path.join(folder, "model*.safetensors"))):
            t.update({k: v.bfloat16() for k, v in load_file(file, device=device).items()})
        self.embed = t["model.embed_tokens.weight"]
        self.head = t.get("lm_head.weight", self.embed)
        self.norm = t["model.norm.weight"]
        self.blocks = [self.block(t, f"model.layers.{b}.") for b in range(c["num_hidden_layers"])]
        theta = c.get("rope_theta") or rope.get("rope_theta", 10000.0)
        frequency = theta ** (-torch.arange(0, self.width, 2, device=device).float() / self.width)
        positions = max(args.context + args.decode, *numbers(args.prefill), 64)
        angle = torch.arange(positions, device=device).float()[:, None] * frequency
        self.cos, self.sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)

    @staticmethod
    def block(t, name):
        def stacked(kind, *parts):
            found = [t.pop(f"{name}{p}.{kind}", None) for p in parts]
            return None if found[0] is None else torch.cat(found)

        qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
        return (
            t[name + "input_layernorm.weight"],
            stacked("weight", *qkv),
            stacked("bias", *qkv),
            t[name + "self_attn.o_proj.weight"],
            t[name + "post_attention_layernorm.weight"],
            stacked("weight", "mlp.gate_proj", "mlp.up_proj"),
            t[name + "mlp.down_proj.weight"],
        )


def numbers(text):
    return [int(n) for n in text.split(",")]


def rms(x, w, eps):
    f = x.float()
    return (f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * w


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return (x.float() * cos + turned.float() * sin).to(x.dtype)


def mlp(x, gate_up, down):
    gate, up = F.linear(x, gate_up).chunk(2, -1)
    return F.linear(F.silu(gate) * up, down)


def decode_block(m, x, cos, sin, unseen, pos, keys, values, w):
    """One block for one token of each sequence. Heads that share keys are the rows of one small matmul."""
    norm1, qkv, bias, out, norm2, gate_up, down = w
    b = x.shape[0]
    q, k, v = F.linear(rms(x, norm1, m.eps), qkv, bias).split(m.split, -1)
    keys.index_copy_(2, pos, rotate(k.view(b, m.kv_heads, 1, m.width), cos, sin))
    values.index_copy_(2, pos, v.reshape(b, m.kv_heads, 1, m.width))
    q = rotate(q.view(b, m.kv_heads, m.heads // m.kv_heads, m.width), cos, sin)
    scores = (q @ keys.transpose(2, 3)).float() * m.width**-0.5 + unseen
    x = x + F.linear((scores.softmax(-1).to(x.dtype) @ values).reshape(b, -1), out)
    return x + mlp(rms(x, norm2, m.eps), gate_up, down)


def last_block_to_logits(m, x):
    return F.linear(rms(x, m.norm, m.eps), m.head)


class Decoder:
    """Greedy decoding of a batch; token and position stay on the device, so that a captured step can be replayed."""

    def __init__(self, m, batch, length, wrap=lambda function: function):
        self.m, self.block, self.finish = m, wrap(decode_block), wrap(last_block_to_logits)
        shape = (batch, m.kv_heads, length, m.width)
        self.caches = [[torch.zeros(shape, dtype=torch.bfloat16, device=device) for _ in "kv"] for _ in m.blocks]
        self.ids = torch.arange(batch, device=device) % m.embed.shape[0]
        self.pos = torch.zeros(1, dtype=torch.long, device=device)
        self.positions = torch.arange(length, device=device)
        self.graph = None

    def logits(self):
        m, x = self.m, self.m.embed[self.ids]
        cos, sin = m.cos[self.pos], m.sin[self.pos]
        unseen = torch.zeros_like(self.positions, dtype=torch.float).masked_fill(self.positions > self.pos, -torch.inf)
        for w, (keys, values) in zip(m.blocks, self.caches):
            x = self.block(m, x, cos, sin, unseen, self.pos, keys, values, w)
        return self.finish(m, x)

    def step(self):
        self.ids.copy_(self.logits().argmax(-1))
        self.pos.add_(1)

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        self.pos.fill_(args.context)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.step()

    def rate(self, steps):
        self.pos.fill_(args.context)
        run = self.graph.replay if self.graph else self.step
        return len(self.ids) * steps / seconds(lambda: [run() for _ in range(steps)])


def prefill(m, ids):
    """Logits of the last token of a prompt; keys and values are made but not kept."""
    n = len(ids)
    x, cos, sin = m.embed[ids], m.cos[:n], m.sin[:n]

    def by_head(t):
        return t.view(n, -1, m.width).transpose(0, 1)[None]

    for norm1, qkv, bias, out, norm2, gate_up, down in m.blocks:
        q, k, v = (by_head(t) for t in F.linear(rms(x, norm1, m.eps), qkv, bias).split(m.split, -1))
        a = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True, enable_gqa=True)
        x = x + F.linear(a[0].transpose(0, 1).reshape(n, -1), out)
        x = x + mlp(rms(x, norm2, m.eps), gate_up, down)
    return last_block_to_logits(m, x[-1:])


def matmuls(m, rows, inputs):
    """The matmuls of a prompt and nothing else."""
    for _, qkv, _, out, _, gate_up, down in m.blocks:
        for w in (qkv, out, gate_up, down):
            F.linear(inputs[w.shape[1]][:rows], w)
    F.linear(inputs[m.head.shape[1]][:1], m.head)


def seconds(work):
    """Seconds until the device has done it."""
    if on_gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def gb_per_s(work, bytes_moved, repeats=11):
    """Of the median run."""
    times = [seconds(work) for _ in range(2 + repeats)]
    return bytes_moved / sorted(times[2:])[repeats // 2] / 1e9


def bandwidths():
    n = (4 << 30) if on_gpu else (64 << 20)
    source = torch.ones(n // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    whole = source.view(torch.int64)
    read = max(gb_per_s(source.sum, n), gb_per_s(whole.max, n))
    return {"read GB/s": read, "copy GB/s": gb_per_s(lambda: target.copy_(source), 2 * n)}


def distance_to_reference(m):
    """Decodes the tokens of reference.safetensors, where the model has one: this loop must be the model."""
    file = os.path.join(args.model, "reference.safetensors")
    if not os.path.exists(file):
        return {}
    reference = load_file(file, device=device)
    decoder = Decoder(m, 1, 64)
    found = []
    for id in reference["input_ids"].long():
        decoder.ids.fill_(id)
        found.append(decoder.logits()[0].float())
        decoder.pos.add_(1)
    expected = reference["logits"]
    last = prefill(m, reference["input_ids"].long())[0].float()
    return {
        "decode against reference": ((torch.stack(found) - expected).norm() / expected.norm()).item(),
        "prefill against reference": ((last - expected[-1]).norm() / expected[-1].norm()).item(),
    }


def compiled_decoders(m, length, budget):
    """Blocks compiled once per batch size, as far as the time allows."""

    def out_of_time(*_):
        raise TimeoutError("torch.compile took too long")

    import torch._inductor.config as inductor

    inductor.coordinate_descent_tuning = True
    wrap = functools.cache(lambda function: torch.compile(function, dynamic=False))
    made, end = {}, time.monotonic() + budget
    signal.signal(signal.SIGALRM, out_of_time)
    for batch in numbers(args.batch):
        signal.alarm(max(1, int(end - time.monotonic())))
        try:
            decoder = Decoder(m, batch, length, wrap)
            decoder.capture() if on_gpu else decoder.step()
            made[batch] = decoder
        except Exception as e:
            print(f"torch.compile at batch {batch}: {e!r}"[:400], file=sys.stderr)
            break
        finally:
            signal.alarm(0)
    return made


def main():
    m = Weights(args.model)
    length = -(-(args.context + args.decode + 4) // 64) * 64
    batches, prompts = numbers(args.batch), numbers(args.prefill)
    decoders = {("bf16 eager", b): Decoder(m, b, length) for b in batches}
    note = "on the CPU"
    if on_gpu:
        for b in batches:
            decoders["bf16 graph", b] = Decoder(m, b, length)
            decoders["bf16 graph", b].capture()
        note = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    if args.compile > 0:
        compiled = compiled_decoders(m, length, args.compile)
        decoders.update({("bf16 compiled", b): d for b, d in compiled.items()})
    most = max(prompts)
    widths = {w.shape[1] for block in m.blocks for w in block if w is not None and w.dim() == 2} | {m.head.shape[1]}
    inputs = {k: torch.randn(most, k, dtype=torch.bfloat16, device=device) for k in widths}
    tokens = torch.arange(most, device=device) % m.embed.shape[0]

    def measure():
        rows = []

        def row(name, weights, batch, rate):
            rows.append({"name": name, "weights": weights, "batch": batch, "tokens_per_second": rate})

        for n in prompts:
            row(f"prefill_{n}", "bf16 eager", 1, n / seconds(lambda: prefill(m, tokens[:n])))
            row(f"matmuls_{n}", "bf16 matmuls", 1, n / seconds(lambda: matmuls(m, n, inputs)))
        for (weights, batch), decoder in decoders.items():
            row("decode", weights, batch, decoder.rate(args.decode))
        return rows

    facts = {**bandwidths(), **distance_to_reference(m)}
    for _ in range(2):
        measure()
    answers.write(json.dumps({"name": f"torch {torch.__version__}, {note}", "facts": facts}) + "\n")
    for line in sys.stdin:
        if line.strip() == "round":
            answers.write(json.dumps({"rows": measure()}) + "\n")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
