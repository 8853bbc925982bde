// norm: out[t] = norm(x[t]); row t of x begins at t * xColumns, of out at t * d. kind 1 RMS, 2 LAYER. Grid (T), block a
// multiple of 32. x and out may be the same memory.
//   norm_{O}        the row is read once and stays in registers (16 numbers a thread: d up to 16 * block), and a sum takes
//                   one barrier; block up to 512. As _naive where the row is wider or cannot be read 16 bytes at a time
//   norm_{O}_naive  reads the row again for each sum
#include "row.cuh"

template <class O>
struct NormRow {
    const float* x;
    NormArgs n;
    O* out;
    int d;
    Reducer reduce;

    template <int N>
    __device__ __forceinline__ void run() const {
        RowSlice<N> row;
        Reducer r = reduce;
        row.load(x, d);
        normalise(row, n, d, r);
        row.store(out, d);
    }
};

template <class O>
__device__ __forceinline__ void norm_naive(const float* x, int xColumns, const NormArgs& n, O* out, int d) {
    __shared__ float red[32];
    normalise_plain(x + (long long)blockIdx.x * xColumns, n, out + (long long)blockIdx.x * d, d, red);
}

template <class O>
__device__ __forceinline__ void norm(const float* x, int xColumns, const NormArgs& n, O* out, int d) {
    __shared__ float area[2][REDUCER_WARPS * REDUCER_VALUES];
    const bool vec = d % 4 == 0 && xColumns % 4 == 0 && aligned4(x) && aligned4(out) && aligned4(n.w) && aligned4(n.b);
    const NormRow<O> row{x + (long long)blockIdx.x * xColumns, n, out + (long long)blockIdx.x * d, d, Reducer{area, 0}};
    if (!with_slices(d, vec, row)) norm_naive(x, xColumns, n, out, d);
}

#define NORM(O, suffix)                                                                                                \
    extern "C" __global__ void __launch_bounds__(512)                                                                  \
        norm_##suffix(const float* x, int xColumns, const float* w, const float* b, float eps, float offset, int kind, \
                      O* out, int d) {                                                                                 \
        norm(x, xColumns, NormArgs{w, b, eps, offset, kind}, out, d);                                                  \
    }                                                                                                                  \
    extern "C" __global__ void norm_##suffix##_naive(const float* x, int xColumns, const float* w, const float* b,     \
                                                     float eps, float offset, int kind, O* out, int d) {               \
        norm_naive(x, xColumns, NormArgs{w, b, eps, offset, kind}, out, d);                                            \
    }
FOR_OPERANDS(NORM)
