// Rotary positions and the cache of keys and values. Rotate-half convention: element i of a head is paired with i + half,
// the first 2 * half elements rotate; half 0: none. cos and sin: [angles, half], a row's angle is its RowArgs::angle.
//   rope_kv_{O}        norm of q and k heads, each by itself (qNorm, kNorm: null, or the weights of head h from
//                      h * normStride on; normKind 1 RMS, 2 LAYER), rotation of q in place, rotation of k and store of k
//                      and v at the row's position, one warp a head (x keeps its k).
//                      Grid (T, ceil((heads + 2 kvHeads) / warps of a block)), block any multiple of 32 (128)
//   rope_kv_{O}_naive  the same with one thread a head, also in x itself for k. Grid (T), any block
//   rope               rotation alone, in place. Grid (T), any block (256)
//   norm_qk            norm over all heads together, in place: of q (blockIdx.y 0) and k (1). Grid (T, 2), block a multiple
//                      of 32 (256)
//   append_kv_{O}      store of k and v alone. Grid (T), any block (256)
#include "args.cuh"
#include "row.cuh"

struct RopeCall {
    const RowArgs* r;
    const float* cos;
    const float* sin;
    int half;
    int headDim;
    float eps;
    float offset;
    int normKind;
    int normStride;
};

// Where the key (which = 0) or value (1) of head g of this row is stored.
template <class O>
__device__ __forceinline__ O* row_slot(const RowArgs* r, const KvArgs& kv, int g, int which) {
    const int p = r->position[blockIdx.x];
    const int page = r->pages[(long long)r->sequence[blockIdx.x] * r->pageStride + p / KV_PAGE];
    return kv_slot<O>(kv, page, g, which, p);
}

__device__ __forceinline__ void put(float* to, int i, float v) { to[i] = v; }
template <class O>
__device__ __forceinline__ void put(O* to, int i, float v) { to[i] = from_float<O>(v); }

// The weights of a head's norm.
__device__ __forceinline__ const float* of_head(const float* norm, int head, const RopeCall& c) {
    return norm ? norm + head * c.normStride : nullptr;
}

// to = rotated(norm(x)) by one warp. Each lane reads and writes its own pairs, so to may be x.
template <class T>
__device__ __forceinline__ void rotate_head(const float* x, T* to, const float* norm, const RopeCall& c) {
    const int lane = threadIdx.x & 31;
    const long long angle = (long long)c.r->angle[blockIdx.x] * c.half;
    float inverse = 1.f, mean = 0.f;
    if (norm) {
        float s = 0.f;
        if (c.normKind == NORM_LAYER) {
            for (int i = lane; i < c.headDim; i += 32) s += x[i];
            mean = warp_sum(s) / c.headDim;
            s = 0.f;
        }
        for (int i = lane; i < c.headDim; i += 32) s += (x[i] - mean) * (x[i] - mean);
        inverse = rsqrtf(warp_sum(s) / c.headDim + c.eps);
    }
    for (int i = lane; i < c.half; i += 32) {
        const int j = i + c.half;
        float a = x[i], b = x[j];
        const float cosine = c.cos[angle + i], sine = c.sin[angle + i];
        if (norm) {
            a = (a - mean) * inverse * (norm[i] + c.offset);
            b = (b - mean) * inverse * (norm[j] + c.offset);
        }
        put(to, i, a * cosine - b * sine);
        put(to, j, b * cosine + a * sine);
    }
    for (int i = 2 * c.half + lane; i < c.headDim; i += 32)
        put(to, i, norm ? (x[i] - mean) * inverse * (norm[i] + c.offset) : x[i]);
}

template <class O>
__device__ __forceinline__ void rope_kv(float* x, int heads, int qColumn, int kColumn, int vColumn, const float* qNorm,
                                        const float* kNorm, const RopeCall& c, const KvArgs& kv) {
    int head = blockIdx.y * (blockDim.x >> 5) + (threadIdx.x >> 5);
    if (head < heads) {
        float* q = x + qColumn + head * c.headDim;
        rotate_head(q, q, of_head(qNorm, head, c), c);
        return;
    }
    head -= heads;
    if (head < kv.kvHeads) {
        rotate_head(x + kColumn + head * c.headDim, row_slot<O>(c.r, kv, head, 0), of_head(kNorm, head, c), c);
        return;
    }
    head -= kv.kvHeads;
    if (head >= kv.kvHeads) return;
    const float* v = x + vColumn + head * c.headDim;
    O* to = row_slot<O>(c.r, kv, head, 1);
    for (int i = threadIdx.x & 31; i < c.headDim; i += 32) put(to, i, v[i]);
}

// ---- plain forms ----

// One thread: x = rotated(norm(x)).
__device__ __forceinline__ void rotate_head_naive(float* x, const float* norm, const RopeCall& c) {
    const long long angle = (long long)c.r->angle[blockIdx.x] * c.half;
    if (norm) {
        float mean = 0.f, s = 0.f;
        for (int i = 0; i < c.headDim && c.normKind == NORM_LAYER; i++) mean += x[i] / c.headDim;
        for (int i = 0; i < c.headDim; i++) s += (x[i] - mean) * (x[i] - mean);
        const float inverse = rsqrtf(s / c.headDim + c.eps);
        for (int i = 0; i < c.headDim; i++) x[i] = (x[i] - mean) * inverse * (norm[i] + c.offset);
    }
    for (int i = 0; i < c.half; i++) {
        const float a = x[i], b = x[i + c.half];
        x[i] = a * c.cos[angle + i] - b * c.sin[angle + i];
        x[i + c.half] = b * c.cos[angle + i] + a * c.sin[angle + i];
    }
}

template <class O>
__device__ __forceinline__ void rope_kv_naive(float* x, int heads, int qColumn, int kColumn, int vColumn,
                                              const float* qNorm, const float* kNorm, const RopeCall& c,
                                              const KvArgs& kv) {
    for (int head = threadIdx.x; head < heads; head += blockDim.x)
        rotate_head_naive(x + qColumn + head * c.headDim, of_head(qNorm, head, c), c);
    for (int g = threadIdx.x; g < kv.kvHeads; g += blockDim.x) {
        float* k = x + kColumn + g * c.headDim;
        rotate_head_naive(k, of_head(kNorm, g, c), c);
        for (int i = 0; i < c.headDim; i++) {
            put(row_slot<O>(c.r, kv, g, 0), i, k[i]);
            put(row_slot<O>(c.r, kv, g, 1), i, x[vColumn + g * c.headDim + i]);
        }
    }
}

extern "C" __global__ void rope(float* x, int columns, const int* angles, const float* cos, const float* sin, int half,
                                int column, int heads, int headDim) {
    float* row = x + (long long)blockIdx.x * columns + column;
    const long long angle = (long long)angles[blockIdx.x] * half;
    for (int n = threadIdx.x; n < heads * half; n += blockDim.x) {
        const int i = n % half;
        float* head = row + n / half * headDim;
        const float a = head[i], b = head[i + half], c = cos[angle + i], s = sin[angle + i];
        head[i] = a * c - b * s;
        head[i + half] = b * c + a * s;
    }
}

extern "C" __global__ void norm_qk(float* x, int columns, int qColumn, int qWidth, const float* qNorm, int kColumn,
                                   int kWidth, const float* kNorm, float eps, float offset, int kind) {
    __shared__ float red[32];
    float* row = x + (long long)blockIdx.x * columns + (blockIdx.y ? kColumn : qColumn);
    normalise_plain(row, NormArgs{blockIdx.y ? kNorm : qNorm, nullptr, eps, offset, kind}, row, blockIdx.y ? kWidth : qWidth,
                    red);
}

template <class O>
__device__ __forceinline__ void append_kv(const float* row, const RowArgs* r, int kColumn, int vColumn, const KvArgs& kv) {
    for (int n = threadIdx.x; n < kv.kvHeads * kv.headDim; n += blockDim.x) {
        const int g = n / kv.headDim, i = n % kv.headDim;
        put(row_slot<O>(r, kv, g, 0), i, row[kColumn + n]);
        put(row_slot<O>(r, kv, g, 1), i, row[vColumn + n]);
    }
}

#define ROPE_KV(O, entry, body)                                                                                           \
    extern "C" __global__ void entry(float* qkv, int columns, const RowArgs* r, const float* cos, const float* sin,       \
                                     int half, int heads, int kvHeads, int headDim, int qColumn, int kColumn, int vColumn, \
                                     const float* qNorm, const float* kNorm, float eps, float offset, int normKind,       \
                                     int normStride, void* const* slabs, int slabShift, long long pageElements,           \
                                     int block) {                                                                         \
        body<O>(qkv + (long long)blockIdx.x * columns, heads, qColumn, kColumn, vColumn, qNorm, kNorm,                    \
                RopeCall{r, cos, sin, half, headDim, eps, offset, normKind, normStride},                                  \
                KvArgs{slabs, slabShift, pageElements, block, kvHeads, headDim});                                         \
    }
#define ROPE(O, suffix)                                                                                             \
    ROPE_KV(O, rope_kv_##suffix, rope_kv)                                                                           \
    ROPE_KV(O, rope_kv_##suffix##_naive, rope_kv_naive)                                                             \
    extern "C" __global__ void append_kv_##suffix(const float* x, int columns, const RowArgs* r, int kColumn,       \
                                                  int vColumn, int kvHeads, int headDim, void* const* slabs,        \
                                                  int slabShift, long long pageElements, int block) {               \
        append_kv<O>(x + (long long)blockIdx.x * columns, r, kColumn, vColumn,                                      \
                     KvArgs{slabs, slabShift, pageElements, block, kvHeads, headDim});                              \
    }
FOR_OPERANDS(ROPE)
