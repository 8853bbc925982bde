// What decode and prefill attention share: where keys and values lie, scores, the simplest form of one row.
#pragma once
#include "args.cuh"
#include "vector.cuh"

#define KV_PAGE 16
#define MINUS_INFINITY __uint_as_float(0xff800000u)

// Keys and values of one block and one key/value head; a page holds [16, headDim] keys, then as many values.
template <class O>
struct KvHead {
    void* const* slabs;
    int slabShift;
    int headDim;
    long long pageElements;
    long long inside;  // of the keys, from the beginning of a page

    __device__ __forceinline__ const O* keys(int page) const {
        return (const O*)slabs[page >> slabShift] + (page & ((1 << slabShift) - 1)) * pageElements + inside;
    }
    __device__ __forceinline__ int toValues() const { return KV_PAGE * headDim; }
};

template <class O>
__device__ __forceinline__ KvHead<O> kv_head(void* const* slabs, int slabShift, long long pageElements, int block, int kvHeads,
                                             int headDim, int kvHead) {
    long long inside = ((long long)block * kvHeads + kvHead) * 2 * KV_PAGE * headDim;
    return KvHead<O>{slabs, slabShift, headDim, pageElements, inside};
}

// The first position that a row at position p sees.
__device__ __forceinline__ int first_seen(int p, int window) { return window > 0 ? max(0, p - window + 1) : 0; }

// Score from scale * q.k
__device__ __forceinline__ float capped(float s, float softCap) { return softCap == 0.f ? s : softCap * tanhf(s / softCap); }

// e^x for x <= 0: the error of the fast form grows with |x|, where the result no longer counts.
__device__ __forceinline__ float fall(float x) { return __expf(x); }

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

// One query head of one row by one warp, headDim <= 256: a lane scores one of 32 positions, then the lanes share out the columns.
template <class O>
__device__ __forceinline__ void attend_row(const float* q, const KvHead<O>& kv, const int* pages, int p, float scale, float softCap,
                                           int window, O* out) {
    const int lane = threadIdx.x & 31, k = kv.headDim, first = first_seen(p, window);
    float sum[8] = {}, top = MINUS_INFINITY, total = 0.f;
    for (int base = first & ~31; base <= p; base += 32) {
        const int s = base + lane;
        const bool seen = s >= first && s <= p;
        float score = MINUS_INFINITY;
        if (seen) {
            const O* key = kv.keys(pages[s / KV_PAGE]) + (s % KV_PAGE) * k;
            float dot = 0.f;
            for (int i = 0; i < k; i++) dot = fmaf(q[i], to_float(key[i]), dot);
            score = capped(scale * dot, softCap);
        }
        const float higher = fmaxf(top, warp_max(score)), fade = fall(top - higher), weight = seen ? fall(score - higher) : 0.f;
        top = higher;
        total = total * fade + warp_sum(weight);
        for (int c = 0; c < 8; c++) sum[c] *= fade;
        for (int j = max(0, first - base); j < min(32, p + 1 - base); j++) {
            const O* value = kv.keys(pages[(base + j) / KV_PAGE]) + kv.toValues() + ((base + j) % KV_PAGE) * k;
            const float w = __shfl_sync(0xffffffffu, weight, j);
            for (int c = 0; c < 8; c++)
                if (lane + 32 * c < k) sum[c] = fmaf(w, to_float(value[lane + 32 * c]), sum[c]);
        }
    }
    for (int c = 0; c < 8; c++)
        if (lane + 32 * c < k) out[lane + 32 * c] = from_float<O>(sum[c] / total);
}

// Consecutive rows of one sequence, in order of position.
struct Tile {
    int first;
    int count;
};
