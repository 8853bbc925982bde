"""Peer for the table of tokenizers: the Rust tokenizers library through its Python package, one thread.

`tiller bench tokenizer --peer "python3 bench/peers/tokenizers_peer.py" ...` starts this script, which reads the same text
and the same tokenizer.json files, prints one line of JSON with its name and the number of tokens for each file, and
answers each line "round" with one pass over every row. Each row is the faster of what the library offers: one call per
text, or one call for all texts without origins (encode_batch_fast), which spares Python's share.
"""

import argparse
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"


def main():
    p = argparse.ArgumentParser(description="Hugging Face tokenizers as a peer of tiller bench tokenizer")
    p.add_argument("--tokenizer", action="append", required=True, help="a tokenizer.json")
    p.add_argument("--text", required=True)
    p.add_argument("--bytes", type=int, required=True)
    args = p.parse_args()
    import tokenizers

    data = open(args.text, "rb").read()
    end = min(args.bytes, len(data))
    while 0 < end < len(data) and data[end - 1 : end] != b"\n":
        end -= 1
    whole = data[:end].decode("utf-8", errors="replace")
    lines = [line + "\n" for line in whole.split("\n")]
    lines[-1] = lines[-1][:-1]
    lines = [line for line in lines if line]
    entries = []
    for path in args.tokenizer:
        tokenizer = tokenizers.Tokenizer.from_file(path)
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
        ids = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
        entries.append((name, tokenizer, ids, sum(map(len, ids))))

    def fastest(*ways):
        seconds = []
        for way in ways:
            start = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    def measure():
        rows = []
        for name, t, ids, tokens in entries:
            ways = {
                "encode": (
                    lambda: [t.encode(line, add_special_tokens=False) for line in lines],
                    lambda: t.encode_batch_fast(lines, add_special_tokens=False),
                ),
                "encode_whole": (
                    lambda: t.encode(whole, add_special_tokens=False),
                    lambda: t.encode_batch_fast([whole], add_special_tokens=False),
                ),
                "decode": (
                    lambda: [t.decode(line, skip_special_tokens=False) for line in ids],
                    lambda: t.decode_batch(ids, skip_special_tokens=False),
                ),
            }
            for row, both in ways.items():
                rate = tokens / fastest(*both)
                rows.append({"name": row, "weights": name, "batch": 1, "tokens_per_second": rate})
        return rows

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    facts = {name: tokens for name, _, _, tokens in entries}
    name = f"Rust tokenizers {tokenizers.__version__} through Python {sys.version.split()[0]}, 1 thread"
    answers.write(json.dumps({"name": name, "facts": facts}) + "\n")
    for line in sys.stdin:
        if line.strip() == "round":
            answers.write(json.dumps({"rows": measure()}) + "\n")


if __name__ == "__main__":
    main()
