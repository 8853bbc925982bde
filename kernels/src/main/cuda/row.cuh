// A row spread over the registers of a block, and sums over it that need one barrier each.
#pragma once
#include "common.cuh"

#define ROW_THREADS 512  // largest block
#define ROW_GROUPS 4

// Thread t holds N groups of four neighbours, each read in one access: width a multiple of 4, addresses on 16 bytes.
template <int N>
struct RowSlice {
    float v[N][4];

    static __device__ __forceinline__ int index(int j) { return (j * (int)blockDim.x + (int)threadIdx.x) * 4; }

    // What lies behind the row is 0.
    __device__ __forceinline__ void load(const float* p, int d) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            float4 q = index(j) < d ? load4(p + index(j)) : float4{0.f, 0.f, 0.f, 0.f};
            v[j][0] = q.x, v[j][1] = q.y, v[j][2] = q.z, v[j][3] = q.w;
        }
    }

    template <class O>
    __device__ __forceinline__ void store(O* p, int d) const {
#pragma unroll
        for (int j = 0; j < N; j++)
            if (index(j) < d) store4(p + index(j), float4{v[j][0], v[j][1], v[j][2], v[j][3]});
    }

    // Asks the cache for this thread's part of another row.
    static __device__ __forceinline__ void request(const float* p, int d) {
#pragma unroll
        for (int j = 0; j < N; j++)
            if (index(j) < d) prefetch(p + index(j));
    }

    __device__ __forceinline__ void add(const RowSlice& o) {
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) v[j][c] += o.v[j][c];
    }

    __device__ __forceinline__ void add_scaled(float factor, const RowSlice& o) {
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) v[j][c] += factor * o.v[j][c];
    }

    __device__ __forceinline__ void scale(float factor) {
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) v[j][c] *= factor;
    }

    // This thread's part of the inner product, in four chains.
    __device__ __forceinline__ float dot(const RowSlice& o) const {
        float s[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) s[c] += v[j][c] * o.v[j][c];
        return (s[0] + s[1]) + (s[2] + s[3]);
    }

    // This thread's part of the sum; what lies behind the row does not count (a norm may have made it other than 0).
    __device__ __forceinline__ float sum(int d) const {
        float s[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) s[c] += index(j) < d ? v[j][c] : 0.f;
        return (s[0] + s[1]) + (s[2] + s[3]);
    }

    // This thread's part of the sum of (v - mean)^2; what lies behind the row does not count.
    __device__ __forceinline__ float squares(float mean, int d) const {
        float s[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                float m = index(j) < d ? v[j][c] - mean : 0.f;
                s[c] += m * m;
            }
        return (s[0] + s[1]) + (s[2] + s[3]);
    }
};

// Sums over a block of up to ROW_THREADS with one barrier each: two areas of shared memory take turns, so whoever writes
// an area again has passed a barrier that all readers of it have reached.
#define REDUCER_WARPS (ROW_THREADS / 32)
#define REDUCER_VALUES 8
struct Reducer {
    float (*area)[REDUCER_WARPS * REDUCER_VALUES];  // [2]
    int turn;

    __device__ __forceinline__ float sum(float v) {
        v = warp_sum(v);
        float* red = area[turn];
        turn ^= 1;
        if ((threadIdx.x & 31) == 0) red[threadIdx.x >> 5] = v;
        __syncthreads();
        const int lane = threadIdx.x & 31;
        float t = lane < (int)blockDim.x >> 5 ? red[lane] : 0.f;
#pragma unroll
        for (int o = REDUCER_WARPS / 2; o > 0; o >>= 1) t += __shfl_xor_sync(0xffffffffu, t, o);
        return __shfl_sync(0xffffffffu, t, 0);
    }

    // Eight sums at once; thread q < 8 gets the q-th. In a warp each exchange halves what a lane keeps: bits 4, 3, 2 of
    // the lane say which value it ends with.
    __device__ __forceinline__ float sums(float (&s)[REDUCER_VALUES]) {
        const int lane = threadIdx.x & 31;
#pragma unroll
        for (int half = 4, bit = 16; half > 0; half >>= 1, bit >>= 1) {
            const bool upper = lane & bit;
#pragma unroll
            for (int q = 0; q < half; q++) {
                float give = upper ? s[q] : s[q + half];
                float keep = upper ? s[q + half] : s[q];
                s[q] = keep + __shfl_xor_sync(0xffffffffu, give, bit);
            }
        }
        s[0] += __shfl_xor_sync(0xffffffffu, s[0], 2);
        s[0] += __shfl_xor_sync(0xffffffffu, s[0], 1);
        float* red = area[turn];
        turn ^= 1;
        if ((lane & 3) == 0) red[(threadIdx.x >> 5) * REDUCER_VALUES + (lane >> 2)] = s[0];
        __syncthreads();
        float t = 0.f;
        if (threadIdx.x < REDUCER_VALUES)
#pragma unroll 1
            for (int w = 0; w < (int)blockDim.x >> 5; w++) t += red[w * REDUCER_VALUES + threadIdx.x];
        return t;
    }
};

// x = norm(x); the weights are requested before the sums, so that they arrive meanwhile.
template <int N>
__device__ __forceinline__ void normalise(RowSlice<N>& x, const NormArgs& n, int d, Reducer& reduce) {
    RowSlice<N> w;
    w.load(n.w, d);
    const float mean = n.kind == NORM_LAYER ? reduce.sum(x.sum(d)) / d : 0.f;
    const float inverse = rsqrtf(reduce.sum(x.squares(mean, d)) / d + n.eps);
#pragma unroll
    for (int j = 0; j < N; j++)
#pragma unroll
        for (int c = 0; c < 4; c++) x.v[j][c] = (x.v[j][c] - mean) * inverse * (w.v[j][c] + n.offset);
    if (n.b) {
        w.load(n.b, d);
        x.add(w);
    }
}

// out = norm(x) for a row in memory, of any width: the plain form. red has 32 floats.
template <class O>
__device__ __forceinline__ void normalise_plain(const float* x, const NormArgs& n, O* out, int d, float* red) {
    float mean = 0.f, squares = 0.f;
    if (n.kind == NORM_LAYER) {
#pragma unroll 1
        for (int i = threadIdx.x; i < d; i += blockDim.x) mean += x[i];
        mean = block_sum(mean, red) / d;
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < d; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
    const float inverse = rsqrtf(block_sum(squares, red) / d + n.eps);
#pragma unroll 1
    for (int i = threadIdx.x; i < d; i += blockDim.x)
        out[i] = from_float<O>((x[i] - mean) * inverse * (n.w[i] + n.offset) + (n.b ? n.b[i] : 0.f));
}

// Calls f.run<N>() for an N that holds a row of width d. Returns false where rows must be worked on in memory: too wide for
// the block, or not to be read four numbers at a time (vec).
template <class F>
__device__ __forceinline__ bool with_slices(int d, bool vec, const F& f) {
    const int groups = (d + 4 * (int)blockDim.x - 1) / (4 * (int)blockDim.x);
    if (!vec || groups > ROW_GROUPS || blockDim.x > ROW_THREADS) return false;
    if (groups <= 2) f.template run<2>();
    else f.template run<ROW_GROUPS>();
    return true;
}
