// out[r, i] = sum over j of x[r, j] w[i, j] (+ bias[i]) for few rows r; x [R, k], w [n, k], bias [n] or null, out [R, n] float.
//
//   gemv_{O}_r{1,2,4,8}(w, x, bias, out, n, k)                      O = f32, bf16, f16: type of w and x
//   gemv_gated_{O}_r{1,2,4,8}(w, x, activation, bias, out, n, k)    x is float gateUp [R, 2k]; the operand is act(gate) * up, rounded
//                                                                   to O; activation as in gated.cu
//   gemv_q8_r{1,2,4,8}(w, x, bias, out, n, k)                       w 8-bit: all numbers [n, k], then f16 scales [n, k / 32]; k a
//                                                                   multiple of 32, x float
//   gemv_{O}_naive, gemv_gated_{O}_naive, gemv_q8_naive             the same parameters; one thread per element of out
//   dequantize_q8_bf16(w, out, n, k), dequantize_q8_bf16_naive      8-bit weights as bf16 [n, k], for the GEMM path; 4 or 1 numbers
//                                                                   a step, any grid and block
//
// Launch of the tuned ones: block (32 * split, teams), grid ceil(n / (teams * N)), where N = rows of w that a team takes together:
// 1, 1, 2, 4 for R = 1, 2, 4, 8. A team of split warps shares one dot product; split is 1 where n / N is about 4000 or more (2 waves
// on 132 SMs), else 2, 4 or 8; split * teams <= 8. Static shared memory, and for gated R * k * sizeof(O) bytes of dynamic (the
// staged operand; over 48 KB with the opt-in of the driver, over 227 KB take gated_{O} and the plain form).
// Launch of the naive ones: block 128, grid (ceil(n / 128), R), any R.
//
// What the tuned form changes: a warp reads a row of w by 16-byte streaming loads (evict first, so that x stays in L1), four of them
// in flight before the first is used; x is read packed, through L1; N rows of w share each load of x, because 8 rows of x would
// otherwise need 8 times the bytes of w from L1. 8-bit weights are read 4 bytes a lane, 8 loads in flight: see Q8Weights.
// Gated: saves a launch and a trip of the operand through memory, but every block computes all of it.
// Bytes in flight: 4 loads of 16 bytes a lane are 2 KB per warp (q8: 1 KB). Registers let 32 warps (R = 1), 24 (R = 2), 16 (R = 4, 8)
// share an SM = 64, 48, 32 KB (q8, R = 1: 32 KB); where n / N is only 4096, 31 warps per SM exist = 62 KB. 4.3 TB/s times 700 ns over 132 SMs asks for
// 23 KB.
// The order of additions of an element depends on k and split alone: the same bits for every R.
#include "vector.cuh"

// Rows of w of a number type.
template <class W>
struct PlainWeights {
    typedef uint4 Raw;
    typedef W Operand;
    static constexpr int N = Vec<W>::N;
    const W* w;
    int k;
    __device__ __forceinline__ bool fits() const { return k % N == 0 && aligned16(w); }
    __device__ __forceinline__ Raw load(int row, int c) const {
        return __ldcs(reinterpret_cast<const uint4*>(w + (long long)row * k) + c);
    }
    __device__ __forceinline__ void numbers(Raw v, float* f) const { unpack(v, f, W()); }
    __device__ __forceinline__ float at(int row, int j) const { return to_float(w[(long long)row * k + j]); }
};

// Rows of 8-bit numbers with a scale for each 32. Four numbers per lane and load: the 128 bytes that a warp reads need 512 bytes
// of float x, which lie together; with 16 numbers per lane the lanes would read x with a stride of 64 bytes.
struct Q8Weights {
    struct Raw {
        unsigned q;
        unsigned short scale;
    };
    typedef float Operand;
    static constexpr int N = 4;
    const signed char* w;
    const unsigned short* scales;
    int k;
    __device__ __forceinline__ bool fits() const { return aligned16(w); }
    __device__ __forceinline__ Raw load(int row, int c) const {
        return Raw{__ldcs(reinterpret_cast<const Word*>(w + (long long)row * k) + c), __ldg(scales + (long long)row * (k >> 5) + (c >> 3))};
    }
    __device__ __forceinline__ void numbers(Raw v, float* f) const {
        float s = to_float(f16{v.scale});
        f[0] = s * (float)(signed char)(v.q & 0xff);
        f[1] = s * (float)(signed char)(v.q >> 8 & 0xff);
        f[2] = s * (float)(signed char)(v.q >> 16 & 0xff);
        f[3] = s * (float)(signed char)(v.q >> 24);
    }
    __device__ __forceinline__ float at(int row, int j) const {
        return to_float(f16{scales[(long long)row * (k >> 5) + (j >> 5)]}) * (float)w[(long long)row * k + j];
    }
};
__device__ __forceinline__ Q8Weights q8_weights(const void* w, int n, int k) {
    const signed char* q = (const signed char*)w;
    return Q8Weights{q, (const unsigned short*)(q + (long long)n * k), k};
}

// acc[i][r] += row (first + i) . x[r] over chunk c
template <class M, int R, int N>
__device__ __forceinline__ void multiply(const M& m, const typename M::Raw* v, const typename M::Operand* x, int c, float (*acc)[R]) {
    float w[N][M::N];
#pragma unroll
    for (int i = 0; i < N; i++) m.numbers(v[i], w[i]);
#pragma unroll
    for (int r = 0; r < R; r++) {
        float f[M::N];
        load_floats<M::N>(x + (long long)r * m.k + c * M::N, f);
#pragma unroll
        for (int i = 0; i < N; i++)
#pragma unroll
            for (int j = 0; j < M::N; j++) acc[i][r] = fmaf(w[i][j], f[j], acc[i][r]);
    }
}

// What this lane contributes to rows first .. first + N - 1, by vector loads; rows beyond n repeat the last one.
template <class M, int R, int N>
__device__ __forceinline__ void gather_chunks(const M& m, const typename M::Operand* x, int first, int n, float (*acc)[R]) {
    constexpr int U = (sizeof(typename M::Raw) < 16 ? 8 : 4) / N;  // chunks in flight per row
    const int chunks = m.k / M::N, step = blockDim.x;
    int row[N];
#pragma unroll
    for (int i = 0; i < N; i++) row[i] = min(first + i, n - 1);
    int c = threadIdx.x;
    for (; c + (U - 1) * step < chunks; c += U * step) {
        typename M::Raw v[U][N];
#pragma unroll
        for (int u = 0; u < U; u++)
#pragma unroll
            for (int i = 0; i < N; i++) v[u][i] = m.load(row[i], c + u * step);
#pragma unroll
        for (int u = 0; u < U; u++) multiply<M, R, N>(m, v[u], x, c + u * step, acc);
    }
    for (; c < chunks; c += step) {
        typename M::Raw v[N];
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = m.load(row[i], c);
        multiply<M, R, N>(m, v, x, c, acc);
    }
}

// The same for a width that is no multiple of 16 bytes.
template <class M, int R, int N>
__device__ __forceinline__ void gather_single(const M& m, const typename M::Operand* x, int first, int n, float (*acc)[R]) {
    for (int j = threadIdx.x; j < m.k; j += blockDim.x)
        for (int i = 0; i < N; i++) {
            float w = m.at(min(first + i, n - 1), j);
#pragma unroll
            for (int r = 0; r < R; r++) acc[i][r] = fmaf(w, to_float(x[(long long)r * m.k + j]), acc[i][r]);
        }
}

template <class M, int R, int N>
__device__ __forceinline__ void gemv_rows(const M& m, const typename M::Operand* x, const float* bias, float* out, int n) {
    __shared__ float part[8][N * R];
    const int first = (blockIdx.x * blockDim.y + threadIdx.y) * N, split = blockDim.x >> 5;
    const int lane = threadIdx.x & 31, warp = threadIdx.y * split + (threadIdx.x >> 5);
    float acc[N][R] = {};
    if (m.fits() && aligned16(x))
        gather_chunks<M, R, N>(m, x, first, n, acc);
    else
        gather_single<M, R, N>(m, x, first, n, acc);
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int r = 0; r < R; r++) {
            float s = warp_sum(acc[i][r]);
            if (lane == 0) part[warp][i * R + r] = s;
        }
    __syncthreads();
    for (int e = threadIdx.x; e < N * R; e += blockDim.x) {
        const int i = first + e / R, r = e % R;
        float s = 0.f;
        for (int p = 0; p < split; p++) s += part[threadIdx.y * split + p][e];
        if (i < n) out[(long long)r * n + i] = bias ? s + bias[i] : s;
    }
}

// The operand act(gate) * up of element j of a row x [2k], rounded to O.
template <class O>
__device__ __forceinline__ O gated_operand(const float* x, int activation, int k, int j) {
    return from_float<O>(activate(activation, x[j]) * x[k + j]);
}

template <class O, int R, int N>
__device__ __forceinline__ void gemv_gated(const O* w, const float* x, int activation, const float* bias, float* out, int n, int k) {
    DYN_SHARED(O, staged);  // [R, k]
    for (int r = 0; r < R; r++)
        for (int j = threadIdx.y * blockDim.x + threadIdx.x; j < k; j += blockDim.x * blockDim.y)
            staged[r * k + j] = gated_operand<O>(x + 2ll * r * k, activation, k, j);
    __syncthreads();
    gemv_rows<PlainWeights<O>, R, N>(PlainWeights<O>{w, k}, staged, bias, out, n);
}

// One element of out; operand(j) is its j-th factor.
template <class M, class F>
__device__ __forceinline__ void gemv_naive(const M& m, F operand, const float* bias, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float s = 0.f;
    for (int j = 0; j < m.k; j++) s = fmaf(m.at(i, j), to_float(operand(j)), s);
    out[(long long)blockIdx.y * n + i] = bias ? s + bias[i] : s;
}

#define GEMV(O, suffix, R, N)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(256, 2)                                                                        \
        gemv_##suffix##_r##R(const O* w, const O* x, const float* bias, float* out, int n, int k) {                             \
        gemv_rows<PlainWeights<O>, R, N>(PlainWeights<O>{w, k}, x, bias, out, n);                                               \
    }                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(256, 2)                                                                        \
        gemv_gated_##suffix##_r##R(const O* w, const float* x, int activation, const float* bias, float* out, int n, int k) {   \
        gemv_gated<O, R, N>(w, x, activation, bias, out, n, k);                                                                 \
    }
#define GEMV_OPERAND(O, suffix)                                                                                                 \
    GEMV(O, suffix, 1, 1)                                                                                                       \
    GEMV(O, suffix, 2, 1)                                                                                                       \
    GEMV(O, suffix, 4, 2)                                                                                                       \
    GEMV(O, suffix, 8, 4)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(128)                                                                           \
        gemv_##suffix##_naive(const O* w, const O* x, const float* bias, float* out, int n, int k) {                            \
        const O* row = x + (long long)blockIdx.y * k;                                                                           \
        gemv_naive(PlainWeights<O>{w, k}, [=](int j) { return row[j]; }, bias, out, n);                                         \
    }                                                                                                                           \
    extern "C" __global__ void __launch_bounds__(128)                                                                           \
        gemv_gated_##suffix##_naive(const O* w, const float* x, int activation, const float* bias, float* out, int n, int k) {  \
        const float* row = x + 2ll * blockIdx.y * k;                                                                            \
        gemv_naive(PlainWeights<O>{w, k}, [=](int j) { return gated_operand<O>(row, activation, k, j); }, bias, out, n);        \
    }
FOR_OPERANDS(GEMV_OPERAND)

#define GEMV_Q8(R, N)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(256, R == 1 ? 4 : 2)                                                           \
        gemv_q8_r##R(const void* w, const float* x, const float* bias, float* out, int n, int k) {                              \
        gemv_rows<Q8Weights, R, N>(q8_weights(w, n, k), x, bias, out, n);                                                       \
    }
GEMV_Q8(1, 1)
GEMV_Q8(2, 1)
GEMV_Q8(4, 2)
GEMV_Q8(8, 4)
extern "C" __global__ void __launch_bounds__(128) gemv_q8_naive(const void* w, const float* x, const float* bias, float* out, int n, int k) {
    const float* row = x + (long long)blockIdx.y * k;
    gemv_naive(q8_weights(w, n, k), [=](int j) { return row[j]; }, bias, out, n);
}

extern "C" __global__ void dequantize_q8_bf16(const void* w, bf16* out, int n, int k) {
    const Q8Weights m = q8_weights(w, n, k);
    for (long long c = blockIdx.x * (long long)blockDim.x + threadIdx.x; c < (long long)n * k / 4; c += (long long)gridDim.x * blockDim.x) {
        float f[4];
        m.numbers(Q8Weights::Raw{__ldcs(reinterpret_cast<const Word*>(m.w) + c), m.scales[c >> 3]}, f);
        store4(out + 4 * c, float4{f[0], f[1], f[2], f[3]});
    }
}
extern "C" __global__ void dequantize_q8_bf16_naive(const void* w, bf16* out, int n, int k) {
    const Q8Weights m = q8_weights(w, n, k);
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (long long)n * k; i += (long long)gridDim.x * blockDim.x)
        out[i] = from_float<bf16>(to_float(f16{m.scales[i >> 5]}) * (float)m.w[i]);
}
