#!/usr/bin/env bash
# Checks Tiller on a GPU: correctness, then speed beside torch. docs: kernels/CUDA.md
#
#   gpu-check.sh --pack [DIR]        makes the folder that a GPU machine needs (default .gpu/); here: JDK 25, Maven, nvcc
#   gpu-check.sh [--only A,B]        there: driver, CUDA 12 or 13 libraries, Python with torch, transformers and safetensors;
#                                    takes at most 10 minutes; results in $OUT (default gpu-out/)
#   gpu-check.sh --rehearse          all of it, shortened, without a GPU: on a driver that runs on the CPU (needs g++)
#   gpu-check.sh --fake-driver DIR   only builds that driver; with LD_LIBRARY_PATH=DIR every --backend cuda runs on it
#
# Stages, in this order: machine contract kernels memcheck racecheck parity speed-llama speed-qwen. A stage that fails or is
# skipped says so and the others go on; the exit status is 0 only if all that was asked for passed (skipped is not failed).
#
# Environment: PYTHON (python3), OUT, SCRATCH (for about 32 GB of weights; a temporary folder), SECONDS_IN_ALL (580),
#              COMPILE (seconds that torch.compile may take in all, 40; 0 for none)
set -u -o pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
here=$(dirname "$self")
stages="machine contract kernels memcheck racecheck parity speed-llama speed-qwen"
skipped=77

fail() {
    echo "gpu-check: $*" >&2
    exit 1
}

# --- where things lie on the GPU machine ---

find_box() {
    local candidate
    for candidate in "$here" "$here/.gpu" "$here/../.gpu" "$PWD/.gpu"; do
        if [ -f "$candidate/runtime.tar.xz" ]; then
            (cd "$candidate" && pwd)
            return
        fi
    done
}

unpack() {
    tar -C "$WORK" -xJf "$1" 2> /dev/null && return
    "$PYTHON" -c "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])" "$1" "$WORK" ||
        fail "neither tar with xz nor $PYTHON can unpack $1"
}

# Folders of cuBLAS in Python's packages; toolkits and the driver are found by Tiller itself.
cuda_folders() {
    "$PYTHON" -c '
import glob, sys
print(":".join(d for p in sys.path if p for d in sorted(glob.glob(p + "/nvidia/*/lib") + glob.glob(p + "/torch/lib"))))' 2> /dev/null
}

java() {
    "$WORK/runtime/bin/java" --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Xmx8g \
        "-Dtiller.home=$BOX" "-Dtiller.shared=$BOX/shared" ${CUDA_FOLDERS:+"-Dtiller.cuda.libraries=$CUDA_FOLDERS"} "$@"
}

tiller() {
    java -cp "$BOX/lib/*" dev.tiller.persona.cli.Main "$@"
}

python_has() {
    local package
    for package in "$@"; do
        "$PYTHON" -c "import $package" 2> /dev/null || {
            echo "$PYTHON has no $package"
            return 1
        }
    done
}

# --- stages: 0 passed, 77 skipped, anything else failed ---

stage_machine() {
    cat "$BOX/version" 2> /dev/null
    uname -sr
    grep -m 1 'model name' /proc/cpuinfo
    echo "$(nproc) processors, $(awk '/MemTotal/ {printf "%.0f GB", $2 / 1e6}' /proc/meminfo)"
    "$WORK/runtime/bin/java" -version 2>&1 | head -n 1
    "$PYTHON" -c '
import importlib.metadata as m
for p in ("torch", "transformers", "safetensors"):
    try: print(p, m.version(p))
    except m.PackageNotFoundError: print(p, "is not installed")'
    if [ -n "$REHEARSE" ]; then
        echo "rehearsal: no GPU, a driver that runs on the CPU; its speeds mean nothing"
    else
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv || echo "no nvidia-smi"
    fi
    echo "CUDA libraries in Python: ${CUDA_FOLDERS:-none}"
    echo '[{"role": "user", "content": "What do you expect if I try learning law?"}]' > "$WORK/messages.json"
    tiller generate --backend cuda --model "$BOX/models/microworld" --messages "$WORK/messages.json" --max-tokens 40 --temperature 0
}

stage_contract() {
    mapfile -t classes < "$BOX/tests/classes"
    [ ${#classes[@]} -gt 0 ] || {
        echo "the folder has no tests of the CUDA backend"
        return $skipped
    }
    [ -z "$REHEARSE" ] || classes=("${classes[0]}") # an emulated GPU would need minutes for the others
    java -cp "$BOX/tests/*:$BOX/lib/*" dev.tiller.bench.RunTests "${classes[@]}"
}

# Runs every kernel test under the command given.
kernel_tests() {
    local test code=0
    ls "$WORK"/native/test_* > /dev/null 2>&1 || {
        echo "the folder was packed without nvcc and has no kernel tests"
        return $skipped
    }
    [ -z "$REHEARSE" ] || {
        echo "kernel tests compiled for a GPU cannot run here; the build runs the same tests on the CPU"
        return $skipped
    }
    for test in "$WORK"/native/test_*; do
        echo "$(basename "$test")"
        "$@" "$test" || code=1
    done
    return $code
}

stage_kernels() {
    kernel_tests env
}

sanitizer() {
    local candidate
    for candidate in "$(command -v compute-sanitizer)" /usr/local/cuda*/bin/compute-sanitizer \
        /usr/local/cuda*/compute-sanitizer/compute-sanitizer /opt/nvidia/*/compute-sanitizer; do
        if [ -x "$candidate" ]; then
            kernel_tests "$candidate" --tool "$1" --error-exitcode 1 --print-limit 5
            return
        fi
    done
    echo "this machine has no compute-sanitizer"
    return $skipped
}

stage_memcheck() {
    sanitizer memcheck
}

stage_racecheck() {
    sanitizer racecheck
}

stage_parity() {
    local models=$WORK/parity names=() folders=() name line code=0
    python_has torch transformers safetensors || return $skipped
    [ -z "$REHEARSE" ] || names=(llama qwen2 gemma2)
    CUDA_VISIBLE_DEVICES='' "$PYTHON" "$BOX/peers/gpu_models.py" tiny --out "$models" ${names[@]+"${names[@]}"} || code=1
    while read -r line; do
        name=$(sed 's|.*"file":"[^"]*/\([^"/]*\)".*|\1|' <<< "$line")
        case $line in
            *'"ok":true'*) folders+=("$models/$name") ;;
            *model_type*) echo "$name: Tiller does not support this family yet" ;;
            *)
                echo "$name: ${line#*\"error\":}"
                code=1
                ;;
        esac
    done < <(tiller inspect --json "$models"/* 2> /dev/null)
    [ ${#folders[@]} -gt 0 ] || fail "no model can be compared"
    tiller bench parity --backend cuda -q --json --weights f32 --tolerance 1e-4 "${folders[@]}" | tee "$OUT/parity.jsonl" || code=1
    tiller bench parity --backend cuda -q --json --weights bf16 --tolerance 1.5e-2 "${folders[@]}" | tee -a "$OUT/parity.jsonl" || code=1
    return $code
}

# Writes a model of shape $1 once and measures torch and Tiller on it, taking turns; $2 names the result.
speed() {
    local model=$SCRATCH/$1 shape=$1 code=0 peer=() options=(--also graph=off --also gemv=0)
    if python_has torch transformers safetensors; then
        [ -z "$REHEARSE" ] || shape=tiny-${2#speed-}
        "$PYTHON" "$BOX/peers/gpu_models.py" shapes "$shape" --out "$model" || return 1
        peer=(--peer "$PYTHON $BOX/peers/gpu_peer.py --compile $COMPILE")
    elif [ -n "$REHEARSE" ]; then
        echo "no torch: the bundled model, and no rows of torch"
        model=$BOX/models/microworld
    else
        return $skipped
    fi
    options+=(--rounds 5 --warm-up 0 --at-most $((STAGE_SECONDS - SECONDS - 40)))
    [ -z "$REHEARSE" ] || options=(--also graph=off --batch 1,2 --prefill 16 --context 4 --decode 2 --rounds 1 --warm-up 0)
    tiller bench gpu --json --model "$model" "${options[@]}" ${peer[@]+"${peer[@]}"} > "$OUT/$2.json" || {
        code=$?
        [ ${#peer[@]} -gt 0 ] && echo "once more without torch" &&
            tiller bench gpu --json --model "$model" "${options[@]}" > "$OUT/$2.json"
    }
    [ "$model" = "$BOX/models/microworld" ] || rm -rf "${model:?}"
    return $code
}

stage_speed-llama() {
    speed llama-3.1-8b speed-llama
}

stage_speed-qwen() {
    speed qwen2.5-7b speed-qwen
}

# --- the run ---

# Seconds that a stage may take at most; what comes before speed leaves 330 for it.
limit_of() {
    [ -z "$REHEARSE" ] || {
        echo 900
        return
    }
    case $1 in
        machine) echo 40 ;;
        contract) echo 100 ;;
        kernels) echo 60 ;;
        memcheck | racecheck) echo 70 ;;
        parity) echo 110 ;;
        *) echo 260 ;;
    esac
}

run_stage() {
    local limit left start took=0 code word
    left=$((end - SECONDS))
    case ${REHEARSE:+all}$1 in
        all*) ;;
        speed-qwen) ;;
        speed-llama) left=$((left * 52 / 100)) ;;
        *) [ -n "$only" ] || left=$((left - 330)) ;;
    esac
    limit=$(limit_of "$1")
    [ "$limit" -le "$left" ] || limit=$left
    echo
    echo "== $1 (at $SECONDS s, at most $limit s)"
    if [ "$limit" -lt 5 ]; then
        code=$skipped
        echo "no time left"
    else
        start=$SECONDS
        STAGE_SECONDS=$limit timeout -k 5 "$limit" bash "$self" --stage "$1" 2>&1 | tee "$OUT/$1.log"
        code=${PIPESTATUS[0]}
        took=$((SECONDS - start))
    fi
    case $code in
        0) word=passed ;;
        "$skipped") word=SKIPPED ;;
        124 | 137) word="FAILED (ran longer than $limit s)" ;;
        *) word="FAILED (exit status $code)" ;;
    esac
    case $word in FAILED*) failed=1 ;; esac
    echo "== $1: $word, $took s"
    printf '%s\t%s\t%s\n' "$1" "$word" "$took" >> "$OUT/stages.tsv"
}

check() {
    local stage failed=0 end
    end=$((SECONDS + ${SECONDS_IN_ALL:-$([ -n "$REHEARSE" ] && echo 3600 || echo 580)}))
    BOX=$(find_box)
    if [ -z "$BOX" ]; then
        [ -n "$REHEARSE" ] || fail "found no .gpu/ beside or above; make it with: bench/gpu-check.sh --pack"
        pack || exit 1
        BOX=$(find_box)
    fi
    PYTHON=${PYTHON:-python3}
    OUT=${OUT:-$PWD/gpu-out}
    mkdir -p "$OUT" || fail "cannot make $OUT"
    rm -f "$OUT"/{*.log,speed-*.json,parity.jsonl,gpu-check.json} # of an earlier run
    : > "$OUT/stages.tsv"
    WORK=$(mktemp -d "${SCRATCH:-${TMPDIR:-/tmp}}/tiller-check.XXXXXX") || exit 1
    trap 'rm -rf "$WORK"' EXIT
    SCRATCH=$WORK
    COMPILE=${COMPILE:-40}
    export BOX PYTHON OUT WORK SCRATCH COMPILE REHEARSE
    unpack "$BOX/runtime.tar.xz"
    [ ! -f "$BOX/native.tar.xz" ] || unpack "$BOX/native.tar.xz"
    if [ -n "$REHEARSE" ]; then
        COMPILE=0
        echo "building the driver that runs on the CPU"
        fake_driver "$WORK/driver" > "$OUT/fake-driver.log" 2>&1 || fail "the fake driver cannot be built; see $OUT/fake-driver.log"
        export LD_LIBRARY_PATH=$WORK/driver CUDA_FOLDERS=$WORK/driver
    else
        CUDA_FOLDERS=$(cuda_folders)
        export CUDA_FOLDERS
    fi
    for stage in $stages; do
        case ,${only:-$stage}, in *,"$stage",*) run_stage "$stage" ;; esac
    done
    echo
    "$PYTHON" "$BOX/peers/gpu_report.py" "$OUT" ${REHEARSE:+--rehearsal} || failed=1
    exit $failed
}

pack() {
    [ -f "$here/gpu-pack.sh" ] || fail "--pack runs in a checkout of Tiller"
    "$here/gpu-pack.sh" "$@"
}

fake_driver() {
    local build=$here/../kernels/src/main/cuda/simt/fake/build.sh
    [ -f "$build" ] || fail "the fake driver is built from a checkout of Tiller, and there is no $build"
    "$build" "$1"
}

only=
REHEARSE=${REHEARSE:-}
case ${1:-} in
    --pack) pack "${@:2}" ;;
    --fake-driver)
        [ $# = 2 ] || fail "--fake-driver needs a folder"
        fake_driver "$2"
        ;;
    --stage) "stage_$2" ;;
    --rehearse | --only | "")
        while [ $# -gt 0 ]; do
            case $1 in
                --rehearse) REHEARSE=yes ;;
                --only)
                    only=${2:?--only needs stages}
                    for s in ${only//,/ }; do
                        case " $stages " in *" $s "*) ;; *) fail "no stage $s; there are: $stages" ;; esac
                    done
                    shift
                    ;;
                *) fail "unknown option $1; see the head of this script" ;;
            esac
            shift
        done
        check
        ;;
    *) fail "unknown option $1; see the head of this script" ;;
esac
