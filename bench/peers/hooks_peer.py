"""Peer of `tiller bench steering`: the same edits as forward hooks in torch + transformers.

`tiller bench steering --peer "python3 bench/peers/hooks_peer.py"` starts this script. It warms up, prints one line of JSON
with its name, and for each line "round" on standard input decodes each row beside an unsteered base, both taking turns
every few tokens in the order a b b a. Row NAME is the steered speed, row "NAME base" the unsteered one.

Hooks sit on the decoder blocks and change their outputs, as steering tools on top of transformers do.
"""

import argparse
import json
import os
import sys
import time


def arguments():
    p = argparse.ArgumentParser(description="forward hooks as a peer of tiller bench steering")
    p.add_argument("--model", required=True, help="Hugging Face directory, or a GGUF file")
    p.add_argument("--format", default="bf16", choices=["f32", "bf16"])
    p.add_argument("--context", type=int, default=16, help="tokens before the first decoded one")
    p.add_argument("--turns", type=int, default=8)
    p.add_argument("--stretch", type=int, default=4, help="tokens per turn")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    return p.parse_args()


def main():
    args = arguments()
    os.environ["TQDM_DISABLE"] = "1"
    # The caller owns standard output; whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    directory, file = os.path.split(os.path.abspath(args.model))
    where = {"gguf_file": file} if file.endswith(".gguf") else {}
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.format]
    source = directory if where else args.model
    model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **where).eval()
    blocks = model.model.layers
    width, vocabulary = model.config.hidden_size, model.config.vocab_size
    v = torch.randn(width, generator=torch.Generator().manual_seed(11)).to(dtype)
    u = v / v.norm()

    def add(h):
        return h + 1e-3 * u

    def ablate(h):
        return h - (h @ u)[..., None] * u

    def clamp(h):
        p = h @ u
        return h + (p.clamp(-1e-6, 1e-6) - p)[..., None] * u

    captured = {}
    steer = {"add_all_blocks": add, "ablate_all_blocks": ablate, "clamp_all_blocks": clamp}

    def hook(edit):
        def run(module, inputs, output):
            return (edit(output[0]),) + output[1:] if isinstance(output, tuple) else edit(output)

        return run

    def keep(block):
        def run(module, inputs, output):
            captured[block] = (output[0] if isinstance(output, tuple) else output).float().numpy()

        return run

    def hooks(name):
        if name == "capture_all_blocks":
            return [b.register_forward_hook(keep(i)) for i, b in enumerate(blocks)]
        return [b.register_forward_hook(hook(steer[name])) for b in blocks]

    class Decoding:
        def __init__(self, name):
            ids = torch.randint(0, vocabulary, (1, args.context), generator=torch.Generator().manual_seed(7))
            out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
            self.name, self.cache, self.last = name, out.past_key_values, out.logits[:, -1:].argmax(-1)
            self.seconds = 0.0

        def advance(self):
            handles = hooks(self.name) if self.name else []
            start = time.perf_counter()
            for _ in range(args.stretch):
                out = model(input_ids=self.last, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
                self.last = out.logits[:, -1:].argmax(-1)
            self.seconds += time.perf_counter() - start
            for h in handles:
                h.remove()

    def measure():
        rows = []
        for name in [*steer, "capture_all_blocks"]:
            base, steered = Decoding(None), Decoding(name)
            for t in range(args.turns):
                for d in (base, steered) if t % 2 == 0 else (steered, base):
                    d.advance()
            for row, d in ((name, steered), (name + " base", base)):
                rate = args.turns * args.stretch / d.seconds
                rows.append({"name": row, "weights": args.format, "batch": 1, "tokens_per_second": rate})
        return rows

    with torch.inference_mode():
        measure()
        versions = f"torch {torch.__version__} + transformers {transformers.__version__}"
        answers.write(json.dumps({"name": f"{versions}, forward hooks, {args.threads} threads"}) + "\n")
        for line in sys.stdin:
            if line.strip() == "round":
                answers.write(json.dumps({"rows": measure()}) + "\n")


if __name__ == "__main__":
    main()
