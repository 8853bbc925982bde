#!/usr/bin/env bash
# Makes the folder that bench/gpu-check.sh needs on a GPU machine: its own Java, Tiller, tests, scripts, small models.
#
#   gpu-check.sh --pack [DIR]        default .gpu/ in the checkout
#
# Needs JDK 25, Maven, and nvcc for the kernel tests (without it they are left out). Environment: JAVA_HOME, MAVEN_OPTIONS.
set -u -o pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/gpu-check.sh
here=$(dirname "$self")

fail() {
    echo "gpu-check: $*" >&2
    exit 1
}

most_bytes=60000000

# Tests that say something about a GPU: the contract of all backends, the layer over the driver, steps as graphs, and the
# reference models with everything that steers them.
gpu_tests=(
    dev.tiller.kernels.CudaBackendTest
    dev.tiller.kernels.cuda.CudaDeviceTest
    dev.tiller.kernels.cuda.CudaLaunchTest
    dev.tiller.kernels.cuda.StepsTest
    dev.tiller.engine.ArchitectureFixturesTest
)

find_jdk() {
    local candidate
    for candidate in "${TILLER_JAVA:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /usr/java/* /opt/jdk* "${HOME:-}"/.sdkman/candidates/java/*; do
        if [ -x "$candidate/bin/jlink" ] && grep -q '^JAVA_VERSION="25' "$candidate/release" 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "--pack needs a JDK 25 with jlink; name it by JAVA_HOME"
}

pack() {
    local root jdk out
    root=$(cd "$here/.." && pwd)
    [ -f "$root/pom.xml" ] || fail "--pack runs in a checkout of Tiller"
    jdk=$(find_jdk) || exit 1
    out=${1:-$root/.gpu}
    mkdir -p "$out" && out=$(cd "$out" && pwd) || fail "cannot make $out"
    rm -rf "$out"/{lib,tests,native.tar.xz,peers,models,shared,gpu-check.sh,version}
    mkdir -p "$out"/{lib,tests,peers,models}
    (cd "$root" && mvn -B -q ${MAVEN_OPTIONS:-} -DskipTests package dependency:build-classpath \
        -Dmdep.includeScope=test -Dmdep.outputFile=target/test-classpath) || fail "the build failed"
    pack_runtime "$jdk" "$out"
    pack_jars "$root" "$jdk" "$out"
    pack_kernel_tests "$root" "$out"
    cp "$root"/bench/peers/gpu_*.py "$out/peers/"
    cp -r "$root/models/microworld" "$out/models/"
    pack_fixtures "$root" "$out"
    cp "$self" "$out/"
    {
        git -C "$root" rev-parse HEAD
        git -C "$root" diff --quiet HEAD || echo "with changes that are not committed"
    } > "$out/version" 2> /dev/null
    local bytes
    bytes=$(du -cb "$out" | tail -n 1 | cut -f 1)
    (cd "$out" && du -sb -- * | sort -rn | awk '{printf "  %8.2f MB  %s\n", $1 / 1e6, $2}')
    echo "gpu-check: $out holds $((bytes / 1000)) kB"
    [ "$bytes" -le $most_bytes ] || fail "$out is larger than $((most_bytes / 1000000)) MB"
}

# An image that is not compressed shrinks far better from outside than one that is.
pack_runtime() {
    local version work
    version=$(grep -h '_VERSION=' "$1/release")
    [ "$(cat "$2/runtime.version" 2> /dev/null)" = "$version" ] && [ -f "$2/runtime.tar.xz" ] && return
    work=$(mktemp -d) || exit 1
    "$1/bin/jlink" --add-modules java.base,java.logging,java.management,java.net.http,jdk.httpserver,jdk.incubator.vector,jdk.unsupported \
        --compress zip-0 --strip-debug --no-header-files --no-man-pages --vm=server --output "$work/runtime" ||
        fail "jlink failed"
    tar -C "$work" -cf - runtime | xz -6 -T1 > "$2/runtime.tar.xz" || fail "cannot write $2/runtime.tar.xz"
    rm -rf "$work"
    echo "$version" > "$2/runtime.version"
}

pack_jars() {
    local root=$1 jdk=$2 out=$3 jar module class
    cp "$root"/bench/target/lib/*.jar "$out/lib/"
    for jar in "$root"/bench/target/bench-*.jar; do
        case $jar in *-sources.jar | *-javadoc.jar | *-tests.jar) ;; *) cp "$jar" "$out/lib/" ;; esac
    done
    # JCuda's PTX compiler is 24 MB and nothing here uses it.
    for jar in "$out"/lib/jcuda-natives-*.jar; do
        [ -f "$jar" ] && trim "$jar" "$jdk"
    done
    for module in loader kernels engine bench; do
        "$jdk/bin/jar" --create --file "$out/tests/$module-tests.jar" -C "$root/$module/target/test-classes" .
    done
    tr ':' '\n' < "$root/bench/target/test-classpath" |
        grep -E '/(junit-(jupiter|platform)|opentest4j|apiguardian|jspecify)[^/]*\.jar$' |
        while read -r jar; do cp "$jar" "$out/tests/"; done
    ls "$out"/tests/junit-platform-launcher-*.jar > /dev/null 2>&1 || fail "found no junit-platform-launcher for the contract tests"
    for class in "${gpu_tests[@]}"; do
        [ -n "$(find "$root"/{kernels,engine}/target/test-classes -path "*/${class//.//}.class")" ] || fail "there is no test $class"
    done
    printf '%s\n' "${gpu_tests[@]}" > "$out/tests/classes"
}

trim() {
    local work
    work=$(mktemp -d) || exit 1
    (cd "$work" && "$2/bin/jar" --extract --file "$1" && find . -name 'libJNvPTXCompiler*' -delete &&
        rm -f "$1" && "$2/bin/jar" --create --no-manifest --file "$1" .) || fail "cannot rewrite $1"
    rm -rf "$work"
}

# The kernel tests as programs of their own: machine code for the H200, PTX for others, nothing of CUDA needed beside them.
pack_kernel_tests() {
    local nvcc test name work
    nvcc=$(command -v nvcc || ls /usr/local/cuda*/bin/nvcc 2> /dev/null | head -n 1)
    if [ -z "$nvcc" ]; then
        echo "gpu-check: no nvcc, so the folder has no kernel tests (stages kernels, memcheck, racecheck will be skipped)" >&2
        return
    fi
    work=$(mktemp -d) && mkdir "$work/native" || exit 1
    for test in "$1"/kernels/src/test/cuda/test_*.cpp; do
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || fail "nvcc cannot compile the kernel tests"; done
        name=$(basename "$test" .cpp)
        "$nvcc" -x cu -std=c++17 -O2 -lineinfo -w -cudart static -I"$1/kernels/src/main/cuda" -I"$1/kernels/src/test/cuda" \
            -gencode arch=compute_90,code=sm_90 -gencode arch=compute_80,code=compute_80 -o "$work/native/$name" "$test" &
    done
    while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n || fail "nvcc cannot compile the kernel tests"; done
    strip "$work"/native/test_*
    for test in "$1"/kernels/src/test/cuda/test_*.cpp; do
        [ -x "$work/native/$(basename "$test" .cpp)" ] || fail "nvcc cannot compile $test"
    done
    # Each holds the same runtime library, so they shrink to a third together.
    tar -C "$work" -cf - native | xz -6 > "$2/native.tar.xz" || fail "cannot write $2/native.tar.xz"
    rm -rf "$work"
}

# References of the families that the tests of the backend look at, where they lie beside the checkout.
pack_fixtures() {
    local shared family
    shared=$1/../shared/fixtures/architectures
    [ -d "$shared" ] || return
    for family in llama llama_bias llama3_rope qwen2; do
        mkdir -p "$2/shared/fixtures/architectures"
        cp -r "$shared/$family" "$2/shared/fixtures/architectures/"
    done
}

pack "${1:-}"
