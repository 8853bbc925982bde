"""One table of a GPU check, for people and (gpu-check.json) for programs.

    gpu_report.py OUT [--rehearsal]     OUT holds stages.tsv, parity.jsonl and speed-*.json, as far as they were made
"""

import json
import os
import re
import sys

# What the project asks of speed: (row, compared with, bound, what it means). A bound is for the median ratio. Rows and
# what they are compared with are regular expressions over the ratios of `tiller bench gpu`.
GOALS = [
    ("decode x1", r"weights' limit.*", 0.85, "decode of one sequence, of what the read bandwidth allows (stretch 0.90)"),
    ("decode x1", r"peer decode bf16 graph", 1.0, "decode of one sequence, of torch in a CUDA graph"),
    ("decode x1", r"peer decode bf16 compiled", 1.0, "decode of one sequence, of torch.compile (second milestone)"),
    (r"prefill_\d+", r"peer matmuls_\d+ bf16 matmuls", 0.70, "prefill, of its matmuls alone by cuBLAS"),
    ("decode_(one_block|all_blocks|3_vectors) x1", "decode x1", 0.99, "steered, of unsteered, one sequence"),
    ("decode_(one_block|all_blocks|3_vectors) x256", "decode x256", 0.98, "steered, of unsteered, 256 sequences"),
    (r"decode_own_plans x\d+", r"decode x\d+", 0.98, "a plan of its own for each sequence, of unsteered"),
    (r"decode_8_probes x\d+", r"decode x\d+", 0.99, "eight projections, of none"),
]


def lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [line for line in f.read().splitlines() if line]


def read(folder):
    """Everything that the stages left behind."""
    stages = [dict(zip(("stage", "result", "seconds"), line.split("\t"))) for line in lines(folder, "stages.tsv")]
    parity = [json.loads(line) for line in lines(folder, "parity.jsonl")]
    speed, broken = {}, []
    for name in sorted(os.listdir(folder)):
        if re.fullmatch(r"speed-.*\.json", name):
            try:
                speed[name[6:-5]] = json.loads("\n".join(lines(folder, name)))
            except json.JSONDecodeError:
                broken.append(name)
    return stages, parity, speed, broken


def goals(speed):
    """Each goal against each ratio that it speaks of."""
    out = []
    for model, result in speed.items():
        for name, to, bound, meaning in GOALS:
            for r in result["ratios"]:
                if re.fullmatch(name, r["name"]) and re.fullmatch(to, r["to"]):
                    reached = r["median"] >= bound
                    out.append(dict(model=model, goal=meaning, bound=bound, reached=reached, **r))
    return out


def show_parity(parity):
    print(f"{'logits against transformers':32} {'weights':8} {'way':16} {'error':>9}  at most")
    for p in parity:
        error = "none" if p["relative_error"] is None else f"{p['relative_error']:.1e}"
        mark = "" if p["ok"] else "  TOO LARGE"
        print(f"{p['model']:32} {p['weights']:8} {p['way']:16} {error:>9}  {p['tolerance']:.1e}{mark}")


def show_speed(model, result):
    print(f"speed of {model}: {result['machine']}")
    for name, value in result.get("facts", {}).items():
        print(f"  {name:28} {value:.3f}")
    peers = result.get("peer", {"name": "torch was not measured", "rows": []})
    table = {}
    for owner, rows in (("tiller", result["rows"]), ("torch", peers["rows"])):
        for r in rows:
            name = r["name"] if owner == "tiller" else f"torch {r['name']} {r['weights']}"
            table.setdefault(name, {})[r["batch"]] = r["tokens_per_second"]
    batches = sorted({b for columns in table.values() for b in columns})
    print(f"  {'tokens/s, median [min..max]':32}" + "".join(f"{'batch ' + str(b):>28}" for b in batches))
    for name, columns in table.items():
        cells = [columns.get(b) for b in batches]
        texts = [f"{c['median']:.1f} [{c['min']:.1f}..{c['max']:.1f}]" if c else "-" for c in cells]
        print(f"  {name:32}" + "".join(f"{t:>28}" for t in texts))
    print(f"  ({peers['name']})")


def show_goals(found):
    print(f"{'goals':20} {'row':30} {'median [min..max]':24} {'at least':8}")
    for g in found:
        ratio = f"{g['median']:.3f} [{g['min']:.3f}..{g['max']:.3f}]"
        mark = "reached" if g["reached"] else "NOT REACHED"
        print(f"{g['model']:20} {g['name']:30} {ratio:24} {g['bound']:<8} {mark}: {g['goal']}")


def main():
    folder, rehearsal = sys.argv[1], "--rehearsal" in sys.argv[2:]
    stages, parity, speed, broken = read(folder)
    found = [] if rehearsal else goals(speed)
    for model, result in speed.items():
        show_speed(model, result)
        print()
    if parity:
        show_parity(parity)
        print()
    if found:
        show_goals(found)
        print()
    for name in broken:
        print(f"{name} is not whole")
    for s in stages:
        print(f"{s['stage']:16} {s['result']}, {s['seconds']} s")
    if rehearsal:
        print("A rehearsal on a CPU: that it runs is all that it shows; no number above says anything about a GPU.")
    path = os.path.join(folder, "gpu-check.json")
    with open(path + ".part", "w") as f:
        json.dump(dict(rehearsal=rehearsal, stages=stages, parity=parity, speed=speed, goals=found), f, indent=1)
    os.replace(path + ".part", path)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
