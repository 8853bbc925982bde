#!/usr/bin/env bash
# Tiller beside other engines, and all other measurements of the results page; writes bench/results/.
#
#   bench/compare-peers.sh MODEL...                all of it, for each model
#   bench/compare-peers.sh --part PART MODEL...    PART: peers, startup, steering, quality, site, rollouts, kernels or page
#
# Environment: LLAMA_CPP      folder of llama-bench and its companions (default: the PATH)
#              LLAMA_VERSION  what to call that llama.cpp, if its build does not know
#              PYTHON         a Python with torch and transformers (default: python3)
#              JLAMA_JAR, LLAMA3_JAVA_JAR  those engines
#              ROUNDS         rounds with peers (default: 7)
#              KERNELS        options of "tiller bench kernels" (default: --quick)
#              WEIGHTS        formats (default: bf16,q8,q4)
#              TEXT           a text for the quality of formats (default: ../shared/data/wikitext-2/test.txt, if it is there)
# A missing peer is a note in the result. Take it on a quiet machine: all engines use every processor.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

fail() {
    echo "compare-peers: $*" >&2
    exit 1
}

part=all
if [ "${1:-}" = --part ]; then
    part=${2:-}
    shift 2 || fail "--part: which one?"
fi
case $part in
    all | peers | startup | steering | quality | site | rollouts | kernels | page) ;;
    *) fail "--part $part: expected peers, startup, steering, quality, site, rollouts, kernels or page" ;;
esac
case $part in
    all | peers | startup | steering | quality) [ $# -ge 1 ] || fail "which model? usage: bench/compare-peers.sh MODEL..." ;;
esac
for model in "$@"; do
    [ -e "$model" ] || fail "$model: no such file or directory"
done

results=bench/results
mkdir -p "$results"
part_file=
trap '[ -z "$part_file" ] || rm -f "$part_file"' EXIT

# Runs "tiller bench ARGUMENTS --json" and keeps what it writes as result $1, complete or not at all.
keep() {
    local name=$1
    shift
    part_file=$results/$name.json.part
    echo "compare-peers: $name, load $(cut -d " " -f 1 /proc/loadavg 2> /dev/null || echo unknown)" >&2
    ./tiller bench "$@" --json > "$part_file" || fail "$name failed; its messages are above"
    mv "$part_file" "$results/$name.json"
    part_file=
}

name_of() {
    basename "${1%/}" | sed 's/\.gguf$//' | tr -c 'A-Za-z0-9._\n' '-'
}

wanted() {
    [ "$part" = all ] || [ "$part" = "$1" ]
}

formats=${WEIGHTS:-bf16,q8,q4}
for model in "$@"; do
    name=$(name_of "$model")
    if wanted peers; then
        options=(--peers --model "$model" --weights "$formats" --rounds "${ROUNDS:-7}")
        [ -z "${LLAMA_CPP:-}" ] || options+=(--llama-cpp "$LLAMA_CPP")
        [ -z "${LLAMA_VERSION:-}" ] || options+=(--llama-version "$LLAMA_VERSION")
        keep "peers-$name" "${options[@]}"
    fi
    if wanted startup; then
        for format in $(echo "$formats" | tr , " "); do
            keep "startup-$name-$format" startup --model "$model" --weights "$format"
        done
    fi
    if wanted steering; then
        options=(steering --model "$model" --weights "${formats%%,*}")
        if "${PYTHON:-python3}" -c 'import torch, transformers' 2> /dev/null; then
            options+=(--peer "${PYTHON:-python3} bench/peers/hooks_peer.py")
        else
            echo "compare-peers: no torch and transformers in ${PYTHON:-python3}: steering without a peer" >&2
        fi
        keep "steering-$name" "${options[@]}"
    fi
    text=${TEXT:-../shared/data/wikitext-2/test.txt}
    if wanted quality && [ -r "$text" ]; then
        keep "quality-$name" quality --model "$model" --text "$text" --windows 0..7
    elif wanted quality; then
        echo "compare-peers: no text $text: the quality of formats was not measured" >&2
    fi
done
if wanted site; then
    keep site site
fi
if wanted rollouts; then
    keep rollouts-microworld rollouts
fi
if wanted kernels; then
    # shellcheck disable=SC2086 # a list of options
    keep kernels kernels ${KERNELS:---quick}
fi
./tiller bench page "$results" || exit 1
