#!/usr/bin/env bash
# Tiller against torch + transformers on one model, taking turns in one run; writes bench/results/.
#
#   bench/compare-torch.sh MODEL [options of tiller bench, instead of --weights bf16 --rounds 9]
#
# Needs a Python with torch and transformers (for a GGUF file also gguf and accelerate); PYTHON names another than python3.
# Take it on a quiet machine: both engines use every processor.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

fail() {
    echo "compare-torch: $*" >&2
    exit 1
}

[ $# -ge 1 ] || fail "which model? usage: bench/compare-torch.sh MODEL [options of tiller bench]"
model=$1
shift
[ -e "$model" ] || fail "$model: no such file or directory"
python=${PYTHON:-python3}
needs="torch transformers"
[ "${model%.gguf}" = "$model" ] || needs="$needs gguf accelerate"
for package in $needs; do
    "$python" -c "import $package" 2> /dev/null || fail "$python has no $package; install it: $python -m pip install $needs"
done

results=bench/results
load=$(cut -d " " -f 1 /proc/loadavg 2> /dev/null || echo unknown)
log=$(mktemp) || exit 1
trap 'rm -f "$log" "$results/compare-torch.json.part"' EXIT
mkdir -p "$results"
options=("$@")
[ $# -gt 0 ] || options=(--weights bf16 --rounds 9)
./tiller bench --json --model "$model" "${options[@]}" --peer "$python bench/peers/torch_peer.py" \
    2> >(tee "$log" >&2) > "$results/compare-torch.json.part" || fail "the run failed; its messages are above"
mv "$results/compare-torch.json.part" "$results/compare-torch.json"

{
    cat << 'TEXT'
# Measured

Written by `bench/compare-torch.sh`; the numbers are also in [compare-torch.json](compare-torch.json). Both programs
hold the model in memory and take turns within every round, so that a change of the machine hits both; ratios are taken
round by round. Shown are medians with the smallest and the largest value. Prefill ends with the first token; decoding is
greedy after a context of 16 tokens, and a batch counts the tokens of all its sequences. `decode_steered` adds a
direction at the output of every block; it takes turns with `decode` every eight tokens. Weights are kept in memory in the
format named; all other numbers are float32 here, and in the peer of the format named. The peer's loop is in
[torch_peer.py](../peers/torch_peer.py).

TEXT
    echo "$(date -u +%Y-%m-%d), load before the run $load, commit $(git rev-parse --short HEAD):"
    echo
    echo '```'
    echo "bench/compare-torch.sh $(basename "$model") ${options[*]}"
    echo
    sed -n '/^machine /,$p' "$log"
    echo '```'
} > "$results/README.md"
echo "compare-torch: wrote $results/README.md and $results/compare-torch.json" >&2
