"""Peer for the end-to-end table: torch + transformers on the same model, threads and shapes.

`tiller bench --peer "python3 bench/peers/torch_peer.py --model M ..."` starts this script, which loads the model once per
number format, warms up and prints one line of JSON with its name. For each line "round" on standard input it then runs
every row once and answers with one line of JSON. Nothing runs between rounds, so the two programs take turns.

The loops are the leanest that transformers offers: one call of the model per token with its own cache, logits of the
last position only, greedy choice; no generate(), no tokenizer.
"""

import argparse
import copy
import json
import os
import sys
import time


def arguments():
    p = argparse.ArgumentParser(description="torch + transformers as a peer of tiller bench")
    p.add_argument("--model", required=True, help="Hugging Face directory, or a GGUF file")
    p.add_argument("--formats", default="f32,bf16", help="number formats, from f32 and bf16")
    p.add_argument("--prompt", type=int, default=512, help="tokens of the prefill row")
    p.add_argument("--context", type=int, default=16, help="tokens before the first decoded one")
    p.add_argument("--decode", type=int, default=64, help="tokens decoded per row")
    p.add_argument("--batch", type=int, default=8, help="sequences of the batch row")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    return p.parse_args()


def main():
    args = arguments()
    os.environ["TQDM_DISABLE"] = "1"
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    directory, file = os.path.split(os.path.abspath(args.model))
    where = {"gguf_file": file} if file.endswith(".gguf") else {}
    source = directory if where else args.model
    formats = {"f32": torch.float32, "bf16": torch.bfloat16}
    loaded = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **where).eval()
    models = {name: copy.deepcopy(loaded).to(formats[name]) for name in args.formats.split(",")}

    def ids(batch, tokens):
        vocabulary = next(iter(models.values())).config.vocab_size
        return torch.randint(0, vocabulary, (batch, tokens), generator=torch.Generator().manual_seed(7))

    def prefill(model):
        start = time.perf_counter()
        model(input_ids=ids(1, args.prompt), use_cache=True, logits_to_keep=1)
        return args.prompt / (time.perf_counter() - start)

    def decode(model, batch):
        out = model(input_ids=ids(batch, args.context), use_cache=True, logits_to_keep=1)
        cache, last = out.past_key_values, out.logits[:, -1:].argmax(-1)
        start = time.perf_counter()
        for _ in range(args.decode):
            out = model(input_ids=last, past_key_values=cache, use_cache=True, logits_to_keep=1)
            last = out.logits[:, -1:].argmax(-1)
        return batch * args.decode / (time.perf_counter() - start)

    def measure():
        rows = []
        for name, model in models.items():
            for row, batch, rate in (
                ("prefill", 1, lambda: prefill(model)),
                ("decode", 1, lambda: decode(model, 1)),
                ("decode_batch", args.batch, lambda: decode(model, args.batch)),
            ):
                rows.append({"name": row, "weights": name, "batch": batch, "tokens_per_second": rate()})
        return rows

    # The caller owns standard output from here on; whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with torch.inference_mode():
        for _ in range(2):
            measure()
        versions = f"torch {torch.__version__} + transformers {transformers.__version__}"
        answers.write(json.dumps({"name": f"{versions}, {args.threads} threads"}) + "\n")
        for line in sys.stdin:
            if line.strip() == "round":
                answers.write(json.dumps({"rows": measure()}) + "\n")


if __name__ == "__main__":
    main()
