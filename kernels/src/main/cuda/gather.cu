// Copies: plain forms only, one number an access (their bytes are a small share of a step).
//   gather_{O}         out[i] = x[index[i]], rows of width d. Grid (count), any block (256)
//   round_{bf16,f16}   out[i] = in[i] for i < n. Any grid and block
//   add_bias           out[t] = bias, a row of n numbers, before a product that adds to out. Grid (T), any block
//   sums_finish        out[i] = base[i] + sums[i] * 2^-24 for i < n (sums of the residual site). Any grid and block
#include "common.cuh"

template <class O>
__device__ __forceinline__ void gather(const float* x, const int* index, O* out, int d) {
    const float* from = x + (long long)index[blockIdx.x] * d;
    O* to = out + (long long)blockIdx.x * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) to[i] = from_float<O>(from[i]);
}

template <class O>
__device__ __forceinline__ void round_all(const float* in, O* out, long long n) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        out[i] = from_float<O>(in[i]);
}

#define GATHER(O, suffix) \
    extern "C" __global__ void gather_##suffix(const float* x, const int* index, O* out, int d) { gather(x, index, out, d); }
FOR_OPERANDS(GATHER)

extern "C" __global__ void round_bf16(const float* in, bf16* out, long long n) { round_all(in, out, n); }
extern "C" __global__ void round_f16(const float* in, f16* out, long long n) { round_all(in, out, n); }

extern "C" __global__ void add_bias(float* out, const float* bias, int n) {
    float* to = out + (long long)blockIdx.x * n;
    for (int i = threadIdx.x; i < n; i += blockDim.x) to[i] = bias[i];
}

extern "C" __global__ void sums_finish(const long long* sums, const float* base, float* out, long long n) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        out[i] = (float)((double)base[i] + (double)sums[i] * (1.0 / 16777216.0));
}
