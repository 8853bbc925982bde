#!/usr/bin/env bash
# Builds a driver that runs on the CPU, or kernels for it. Needs g++ only.
#
#   build.sh OUTDIR [MAJOR]          libcuda.so.1, libcublas.so.MAJOR (13), libcublasLt.so.MAJOR, kernels/*.so
#   build.sh --module KERNEL.cu OUT  a library of one .cu file, loaded through an image "// simt-module: OUT"
#
# Environment: CXX           the compiler (g++)
#              PTX_DIR       the folder of the built-in kernels' PTX, if it lies in no usual place
#              KERNEL_CACHE  a folder that keeps compiled built-in kernels by what they were made of
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$(cd "$here/../.." && pwd)
cxx=${CXX:-g++}
# More optimization makes compiling slower and the emulation, which mostly changes stacks, no faster.
# FORTIFY takes the emulation's long jumps for an attack; unique symbols would be shared between libraries.
flags=(-std=c++17 -O1 -w -fPIC -fvisibility=hidden -fno-gnu-unique -U_FORTIFY_SOURCE -I"$sources" -I"$here")
grep -qsw f16c /proc/cpuinfo && flags+=(-mf16c) # without it each number of 16 bits is a call

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names of the kernels in a .cu file. As nvcc would see it, so that macros which make kernels are expanded and the word
# __global__ is still there.
entries_of_source() {
    "$cxx" -E -P -x c++ -D__CUDACC__ -I"$(dirname "$1")" -I"$sources" "$1" | tr '\n' ' ' |
        grep -oP 'extern\s*"C"\s*__global__\s+void\s+(__launch_bounds__\s*\([^)]*\)\s*)?\K\w+(?=\s*\()' | sort -u
}

entries_of_ptx() {
    grep -oP '^\.visible \.entry \K\w+' "$1" | sort -u
}

# Compiles the .cu file $1 to the library $2; the names of its kernels come on standard input.
compile() {
    local unit names
    unit=$work/$(basename "$2").cpp
    names=$(cat)
    {
        echo '#include "kernel_table.h"'
        # A kernel may have the name of a function of the C library, which its own headers do not declare.
        echo "$names" | sed 's/.*/#define & kernel_&/'
        echo "#include \"$1\""
        echo 'static const SimtKernel entries[] = {'
        echo "$names" | sed 's/.*/    SIMT_KERNEL(&),/'
        echo '};'
        echo 'extern "C" __attribute__((visibility("default"))) const SimtKernel* simt_module_kernels(int* n) {'
        echo '    *n = sizeof entries / sizeof *entries;'
        echo '    return entries;'
        echo '}'
    } > "$unit"
    "$cxx" "${flags[@]}" -I"$(dirname "$1")" -shared -o "$work/$(basename "$2")" "$unit"
    mv "$work/$(basename "$2")" "$2"
}

build_module() {
    local kernel
    [ -f "$1" ] || fail "there is no file $1"
    kernel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
    entries_of_source "$kernel" > "$work/entries" ||
        fail "$1: found no kernel; one begins with: extern \"C\" __global__ void name("
    compile "$kernel" "$2" < "$work/entries"
}

ptx_folder() {
    local candidate
    for candidate in "${PTX_DIR:-}" "$sources/.." "$sources/../resources/dev/tiller/kernels/cuda"; do
        if [ -n "$candidate" ] && ls "$candidate"/*.ptx > /dev/null 2>&1; then
            (cd "$candidate" && pwd)
            return
        fi
    done
    echo "build.sh: found no PTX of the built-in kernels (PTX_DIR names its folder): the driver will have none" >&2
}

# One built-in file. The PTX says which kernels there are: one that the source no longer has does not compile.
build_operation() {
    local name source library kept
    name=$(basename "$1" .ptx)
    source=$sources/$name.cu
    library=$2/kernels/$name.so
    [ -f "$source" ] || fail "$1 has no source $source"
    if [ -z "${KERNEL_CACHE:-}" ]; then
        entries_of_ptx "$1" | compile "$source" "$library"
        return
    fi
    kept=$KERNEL_CACHE/$({ "$cxx" --version && entries_of_ptx "$1" && cat "$source" "$sources"/*.cuh "$sources"/simt/*.h \
        "$here/kernel_table.h" "$here/build.sh"; } | sha256sum | cut -c 1-32).so
    if [ ! -f "$kept" ]; then
        entries_of_ptx "$1" | compile "$source" "$library"
        cp "$library" "$kept.$$" && mv "$kept.$$" "$kept"
    else
        cp "$kept" "$library"
    fi
}

build_cuda() {
    echo '{ global: cu*; fake_*; local: *; };' > "$work/exports"
    "$cxx" "${flags[@]}" -shared -Wl,-soname,libcuda.so.1 -Wl,--version-script="$work/exports" \
        -o "$1/libcuda.so.1" "$here/fakecuda.cpp" -ldl -pthread
}

build_cublas() {
    echo "libcublas.so.$2 { global: cublas*; local: *; };" > "$work/versions"
    "$cxx" "${flags[@]}" -O3 -DFAKE_MAJOR="$2" -shared -Wl,-soname,"libcublas.so.$2" \
        -Wl,--version-script="$work/versions" -o "$1/libcublas.so.$2" "$here/fakecublas.cpp" -L"$1" -l:libcuda.so.1
    "$cxx" -shared -nostdlib -Wl,-soname,"libcublasLt.so.$2" -o "$1/libcublasLt.so.$2" -x c /dev/null
}

build_driver() {
    local out ptx cores file pids=()
    mkdir -p "$1/kernels"
    out=$(cd "$1" && pwd)
    ptx=$(ptx_folder)
    cores=$(nproc 2> /dev/null || echo 2)
    [ -z "${KERNEL_CACHE:-}" ] || mkdir -p "$KERNEL_CACHE"
    (build_cuda "$out" && build_cublas "$out" "$2") &
    pids+=($!)
    for file in ${ptx:+"$ptx"/*.ptx}; do
        if [ ${#pids[@]} -ge "$cores" ]; then
            wait "${pids[0]}" || fail "compiling failed"
            pids=("${pids[@]:1}")
        fi
        build_operation "$file" "$out" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || fail "compiling failed"; done
}

case ${1:-} in
    --module)
        [ $# = 3 ] || fail "expected --module KERNEL.cu OUT"
        build_module "$2" "$3"
        ;;
    "" | -*)
        fail "expected OUTDIR [MAJOR] or --module KERNEL.cu OUT"
        ;;
    *)
        build_driver "$1" "${2:-13}"
        ;;
esac
