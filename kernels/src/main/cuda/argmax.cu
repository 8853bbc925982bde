// argmax: out[t] = index of the largest number of row t, the first on ties; NaN never wins (0 if nothing is above -inf).
//   argmax        a block a row, four loads in flight a thread. Grid (T), block a multiple of 32 (1024)
//   argmax_split  several blocks share a row (few rows, a large vocabulary). Grid (T, blocks), block a multiple of 32
//                 (256). best[T] and done[T] are zero before the first call and after each one
//   argmax_naive  one thread a row. Grid (T), block 1
#include "common.cuh"

typedef unsigned long long Key;

// Sorts like (value, -index): the larger key wins. 0 stands for nothing; NaN and -inf give nothing.
__device__ __forceinline__ Key argmax_key(float v, int index) {
    if (!(v > -INFINITE)) return 0;
    const unsigned u = __float_as_uint(v + 0.f);  // -0 becomes 0
    const unsigned ordered = u & 0x80000000u ? ~u : u | 0x80000000u;
    return (Key)ordered << 32 | (0xffffffffu - (unsigned)index);
}
__device__ __forceinline__ int argmax_index(Key k) { return k ? (int)(0xffffffffu - (unsigned)k) : 0; }
__device__ __forceinline__ Key larger(Key a, Key b) { return a > b ? a : b; }

// The best of the columns that this block looks at; valid in thread 0.
__device__ __forceinline__ Key argmax_block(const float* x, int columns) {
    __shared__ Key red[32];
    const int step = blockDim.x * gridDim.y, lane = threadIdx.x & 31;
    int i = blockIdx.y * blockDim.x + threadIdx.x;
    Key best = 0;
    for (; i < columns - 3 * step; i += 4 * step) {
        const float a = x[i], b = x[i + step], c = x[i + 2 * step], d = x[i + 3 * step];
        best = larger(best, larger(larger(argmax_key(a, i), argmax_key(b, i + step)),
                                   larger(argmax_key(c, i + 2 * step), argmax_key(d, i + 3 * step))));
    }
    for (; i < columns; i += step) best = larger(best, argmax_key(x[i], i));
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) best = larger(best, __shfl_xor_sync(0xffffffffu, best, o));
    if (lane == 0) red[threadIdx.x >> 5] = best;
    __syncthreads();
    best = lane < (int)blockDim.x >> 5 ? red[lane] : 0;
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) best = larger(best, __shfl_xor_sync(0xffffffffu, best, o));
    return best;
}

extern "C" __global__ void argmax(const float* x, int columns, int* out) {
    const Key best = argmax_block(x + (long long)blockIdx.x * columns, columns);
    if (threadIdx.x == 0) out[blockIdx.x] = argmax_index(best);
}

extern "C" __global__ void argmax_split(const float* x, int columns, Key* best, unsigned* done, int* out) {
    const Key key = argmax_block(x + (long long)blockIdx.x * columns, columns);
    if (threadIdx.x != 0) return;
    atomicMax(best + blockIdx.x, key);
    __threadfence();
    if (atomicAdd(done + blockIdx.x, 1u) + 1 < gridDim.y) return;
    out[blockIdx.x] = argmax_index(atomicExch(best + blockIdx.x, 0ull));  // the last block has seen all
    done[blockIdx.x] = 0;
}

extern "C" __global__ void argmax_naive(const float* x, int columns, int* out) {
    const float* row = x + (long long)blockIdx.x * columns;
    int best = 0;
    float value = -INFINITE;
    for (int i = 0; i < columns; i++) {
        if (row[i] > value) {
            value = row[i];
            best = i;
        }
    }
    out[blockIdx.x] = best;
}
