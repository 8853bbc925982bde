"""Checks `tiller convert` with transformers, from a GGUF file to logits, tokens and chats.

    python3 bench/peers/check_converted.py MODEL.gguf [--text FILE] [--reference DIR]

Converts the file with ./tiller into a directory of float32, loads that with transformers and compares:

  weights  transformers found every tensor it wants, and no other
  logits   of Tiller running the GGUF file with float32 weights, and of transformers running the directory, over random
           tokens (and over the text); and Tiller's own from the file and from the directory, which must be the same bits
  tokens   of Tiller from the GGUF file and of the Rust tokenizers from the directory, over several hundred strings: ids with
           and without special tokens, and the text that comes back
  chats    the prompt of a few conversations, if the file has a template

--reference DIR names the model's own directory: its tokens and logits are then compared as well (logits only say something if
the file stores its weights unquantised). Needs torch and transformers. Prints a line for each comparison; exit code 0 if
all agree, 1 if not.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# As for the reference numbers of the tests: the two differ by the order of sums alone.
MOST_ABSOLUTE, MOST_RELATIVE = 5e-4, 1e-5

CHATS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  2 + 2?\n"}],
    [
        {"role": "user", "content": "Grüße, 世界"},
        {"role": "assistant", "content": "Hi there! "},
        {"role": "user", "content": "<b>&amp;</b> \"quoted\""},
    ],
]


def arguments():
    p = argparse.ArgumentParser(description="compare a converted GGUF model in transformers with Tiller")
    p.add_argument("model", help="a GGUF file")
    p.add_argument("--text", help="a text whose beginning is read as well")
    p.add_argument("--reference", help="the model's own directory, to compare with as well")
    p.add_argument("--tokens", type=int, default=48, help="how many tokens the models read (default: 48)")
    p.add_argument("--strings", type=int, default=400, help="how many strings the tokenizers read (default: 400)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--backend", help="a backend of Tiller")
    p.add_argument("--tiller", default=str(ROOT / "tiller"))
    return p.parse_args()


class Checks:
    """Prints what was compared and remembers whether all of it agreed."""

    def __init__(self):
        self.failed = False

    def say(self, what, ok, detail):
        print(f"{'ok    ' if ok else 'FAILED'} {what}: {detail}", flush=True)
        self.failed |= not ok


class Tiller:
    def __init__(self, program, backend):
        self.program = program
        self.backend = ["--backend", backend] if backend else []

    def run(self, *args, lines=None):
        done = subprocess.run(
            [self.program, *map(str, args)],
            input=None if lines is None else "".join(json.dumps(x) + "\n" for x in lines),
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode != 0:
            sys.exit(f"FAILED tiller {args[0]}: {done.stderr.strip() or done.returncode}")
        return [json.loads(line) for line in done.stdout.split("\n") if line] if lines is not None else done.stdout

    def logits(self, model, ids, folder):
        from safetensors.numpy import load_file

        out = folder / "activations.safetensors"
        given = ["--model", model, "--weights", "f32", "--quiet", *self.backend]
        self.run("activations", *given, "--ids", ",".join(map(str, ids)), "--out", out)
        return load_file(out)["logits"]


def strings(count, seed, special):
    """Texts that tokenizers tend to disagree on: white space, digits, scripts, marks, code, special tokens."""
    r = random.Random(seed)
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz", "ABCXYZ'’ʼ", "0123456789", " ", "  \t", "\n\r", ".,;:!?-_()[]{}<>|/\\@#$%^&*+=~`\"",
        "äöüßéèçñøåœÆþ", "абвгдежзийёЯ", "αβγδεςΩ", "日本語中文字漢", "ひらがなカタカナー", "한국어글자", "العربيةُ", "हिन्दीकि्",
        "ไทยภาษา", "עִבְרִית", "😀🎉👩‍💻🏳️‍🌈🇩🇪", "e\u0301a\u0308\u0327", "\u00a0\u2003\u3000\u200b\u200d\ufeff\u0085\u2028", "ﬁ①½²Ⅷ㎏",
        "𝔘𝕟𐍈𒀀", "\x00\x01\x7f", "▁Ġ⁇",
    ]  # fmt: skip
    words = ["the", "I'm", "don’t", "we'LL", "foo_bar", "HTTPServer2", "3.14159", "1,000,000", "0x7FFF", "for(int i=0;", "==", "\\n"]
    out = ["", " ", "  ", "\n", "\n\n", "\t", "a", " a", "a ", "  a  b   c", "Hello, world!", "\r\n\r\n", "a\n b\n\n  c\n", "'s", " 's"]
    while len(out) < count:
        parts = []
        for _ in range(r.randint(1, 12)):
            kind = r.random()
            if kind < 0.35:
                parts.append(r.choice(["", " "]) + r.choice(words))
            elif kind < 0.9:
                alphabet = r.choice(alphabets)
                parts.append("".join(r.choice(alphabet) for _ in range(r.randint(1, 6))))
            elif special:
                parts.append(r.choice(special))
        out.append("".join(parts))
    return out[:count]


def compare_logits(checks, what, expected, found):
    import numpy as np

    expected, found = expected.astype(np.float64), found.astype(np.float64)
    if expected.shape != found.shape:
        checks.say(what, False, f"shapes {expected.shape} and {found.shape}")
        return
    largest = float(np.max(np.abs(expected - found)))
    relative = float(np.linalg.norm(expected - found) / np.linalg.norm(expected))
    ok = largest <= MOST_ABSOLUTE and relative <= MOST_RELATIVE
    checks.say(what, ok, f"largest difference {largest:.1e}, relative {relative:.1e} over {expected.shape[0]} tokens")


def check_logits(checks, tiller, args, converted, folder, tokenizer):
    import numpy as np
    import torch
    import transformers

    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        converted, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    model.eval()
    wrong = {kind: sorted(map(str, info[kind])) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]}
    checks.say("weights", not wrong, wrong or f"{sum(1 for _ in model.parameters())} tensors, {type(model).__name__}")
    reference = None
    if args.reference and os.path.exists(os.path.join(args.reference, "config.json")):
        reference = transformers.AutoModelForCausalLM.from_pretrained(
            args.reference, dtype=torch.float32, attn_implementation="eager"
        ).eval()
    r = random.Random(args.seed)
    texts = {"random tokens": [r.randrange(model.config.vocab_size) for _ in range(args.tokens)]}
    if args.text and tokenizer is not None:
        with open(args.text, encoding="utf-8") as file:
            head = file.read(16 * args.tokens)
        texts["text"] = tokenizer.encode(head, add_special_tokens=False)[: args.tokens]
    for name, ids in texts.items():
        found = tiller.logits(args.model, ids, folder)
        again = tiller.logits(converted, ids, folder)
        same = np.array_equal(found.view(np.uint32), again.view(np.uint32))
        checks.say(f"directory, {name}", same, "the same bits as from the file" if same else "other logits than from the file")
        with torch.inference_mode():
            batch = torch.tensor([ids])
            compare_logits(checks, f"logits, {name}", model(batch).logits[0].numpy(), found)
            if reference is not None:
                compare_logits(checks, f"logits of the reference, {name}", reference(batch).logits[0].numpy(), found)


def check_tokens(checks, what, tokenizer, texts, lines, decode):
    wrong = []
    for text, line in zip(texts, lines, strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False)
        pairs = [("ids", ids), ("ids_special", tokenizer.encode(text, add_special_tokens=True))]
        if decode:
            plain = {"clean_up_tokenization_spaces": False}
            pairs.append(("decoded", tokenizer.decode(ids, **plain)))
            pairs.append(("decoded_skip", tokenizer.decode(ids, skip_special_tokens=True, **plain)))
        wrong += [(text, key, line[key], value) for key, value in pairs if line[key] != value]
    checks.say(what, not wrong, f"{len(texts)} strings, {len(wrong)} differ")
    for text, key, found, expected in wrong[:3]:
        print(f"       {key} of {text!r}: {found} in Tiller, {expected} in transformers")


def check_chats(checks, tiller, args, tokenizer):
    requests = [{"messages": chat, "add_generation_prompt": True} for chat in CHATS]
    lines = tiller.run("render", "--json", "--model", args.model, "--now", "2025-01-15T12:00:00", lines=requests)
    differ = 0
    for chat, line in zip(CHATS, lines, strict=True):
        try:
            expected = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        except Exception as e:  # what a template refuses in one it must refuse in the other
            expected = None if "error" in line else f"({e})"
        if line.get("output") != expected:
            differ += 1
            print(f"       {chat}: {line} in Tiller, {expected!r} in transformers")
    checks.say("chats", differ == 0, f"{len(CHATS)} conversations, {differ} differ")


def main():
    args = arguments()
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tiller, checks = Tiller(args.tiller, args.backend), Checks()
    with tempfile.TemporaryDirectory(prefix="tiller-convert") as temporary:
        folder = pathlib.Path(temporary)
        converted = folder / "model"
        tiller.run("convert", args.model, converted)
        has_tokenizer = (converted / "tokenizer.json").exists()
        tokenizer = transformers.AutoTokenizer.from_pretrained(converted) if has_tokenizer else None
        check_logits(checks, tiller, args, converted, folder, tokenizer)
        if tokenizer is None:
            print("       no tokenizer in the file")
        else:
            special = sorted({t.content for t in tokenizer.added_tokens_decoder.values()})[:40]
            texts = strings(args.strings, args.seed, special)
            lines = tiller.run("tokenize", "--json", "--model", args.model, lines=texts)
            check_tokens(checks, "tokens", tokenizer, texts, lines, decode=True)
            if args.reference and os.path.exists(os.path.join(args.reference, "tokenizer.json")):
                own = transformers.AutoTokenizer.from_pretrained(args.reference)
                check_tokens(checks, "tokens of the reference", own, texts, lines, decode=False)
            if tokenizer.chat_template:
                check_chats(checks, tiller, args, tokenizer)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
