// Attention of single rows (decode): out[t, head] = softmax(scale * q.K) V over the positions the row sees, already stored in pages.
//
//   attend_decode_{O}_naive       one warp per query head, positions one after the other; any head width up to 256
//   attend_decode_{O}_g{1,2,4,8}  split over positions and over the group; head width a multiple of 8, up to 256
//
// Parameters (O = float, bf16, f16):
//   qkv [.., columns] float        queries of row t at qkv + t * columns + qColumn
//   rows                           RowArgs
//   rowList [gridDim.z]            rows to do; null: row blockIdx.z; an entry below 0: nothing to do
//   slabs, slabShift, pageElements, block   address of a page, see KvHead
//   heads, kvHeads, headDim, scale, softCap (0 none), window (0 none)
//   partial [list, heads, splits, headDim + 2] float   scratch, need not be cleared
//   counters [list, kvHeads] int   zero before the first launch; every launch leaves zeros
//   out [.., heads * headDim] O
//   chunk                          positions of one split, a multiple of 16
// Launch: grid (kvHeads, splits, rows in list), block 128. Splits beyond what a row sees leave at once; the last split goes on to
// the end, so any grid is right, but splits should be ceil(longest sequence / chunk). Dynamic shared memory of g{G}:
// G * (5 * headDim + 8) * 4 bytes. The naive form takes the same launch (only splits y = 0 work), 0 bytes.
// G is the number of query heads that share one read of keys and values: the smallest of 1, 2, 4, 8 that holds heads / kvHeads, else 8
// (then the keys are read again for the next 8, from L2).
//
// What the tuned form changes: each key and value is read once for the group, by 16-byte loads, 8 of them in flight per lane
// (4 KB per warp, 16 KB per block; registers let 3 blocks, for g8 2, share an SM = 48 or 32 KB, where 4.3 TB/s need 23 KB); a long
// sequence occupies many SMs: 8 kvHeads at 4096 positions and chunk 128 make 256 blocks.
// 8 numbers of a head lie in one lane, 32 / lanes(head) positions in a warp step. The last block of a row and head to arrive merges
// the splits, in order. A result depends on the row, the window, G and chunk alone: not on other rows, nor on splits, as long as splits
// cover the sequence.
#include "attention.cuh"

#define DECODE_WARPS 4

// Running softmax of one query head over some positions: sum = weights * values relative to e^top.
struct Softmax {
    float top, total, sum[8];
    __device__ __forceinline__ void add(float otherTop, float otherTotal, const float* otherSum) {
        const float higher = fmaxf(top, otherTop), base = higher == MINUS_INFINITY ? 0.f : higher;
        const float mine = fall(top - base), theirs = fall(otherTop - base);
        top = higher;
        total = total * mine + otherTotal * theirs;
#pragma unroll
        for (int i = 0; i < 8; i++) sum[i] = sum[i] * mine + otherSum[i] * theirs;
    }
};

// What all blocks of a launch are told.
template <class O>
struct Decode {
    KvHead<O> kv;
    const int* pages;
    float scale, softCap;
    int begin, end;  // positions of this split
};

// The lane's 8 numbers of G scaled queries: in registers, or for larger groups in shared memory (registers hold the sums then),
// as two halves of 4, so that the lanes of a warp read consecutive 16 bytes.
template <int G>
struct Queries {
    static constexpr bool SHARED = G >= 4;
    float own[SHARED ? 1 : G][8];
    const float* staged;
    int k;

    __device__ __forceinline__ void load(const float* query, int live, float scale, int headDim, int piece, float* room) {
        k = headDim;
        if (SHARED) {
            for (int e = threadIdx.x; e < G * k; e += blockDim.x) {
                const int g = e / k, i = e - g * k;
                room[g * k + (i & 4 ? k >> 1 : 0) + (i >> 3) * 4 + (i & 3)] = g < live ? query[e] * scale : 0.f;
            }
            __syncthreads();
            staged = room + (piece < k ? piece >> 1 : 0);  // a lane beyond the head multiplies zeros
        } else {
#pragma unroll
            for (int g = 0; g < (SHARED ? 1 : G); g++)
#pragma unroll
                for (int j = 0; j < 8; j++) own[g][j] = g < live && piece < k ? query[g * k + piece + j] * scale : 0.f;
        }
    }
    __device__ __forceinline__ void get(int g, float* q) const {
        if (SHARED) {
            load_floats<4>(staged + g * k, q);
            load_floats<4>(staged + g * k + (k >> 1), q + 4);
        } else {
#pragma unroll
            for (int j = 0; j < 8; j++) q[j] = own[SHARED ? 0 : g][j];
        }
    }
};

// U positions per lane group of L lanes: their scores, then their values.
template <class O, int G, int U>
__device__ __forceinline__ void decode_step(const Decode<O>& d, const Queries<G>& queries, Softmax* state, const O* keys, int base, int L) {
    constexpr int LOADS = 8 / Vec<O>::N;
    const int lane = threadIdx.x & 31, piece = (lane & (L - 1)) * 8, k = d.kv.headDim;
    uint4 kRaw[U][LOADS], vRaw[U][LOADS];
    bool seen[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
        const int s = base + u * (32 / L) + lane / L;
        seen[u] = s >= d.begin && s < d.end;
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const uint4* at = reinterpret_cast<const uint4*>(keys + (s % KV_PAGE) * k + piece) + i;
            const bool read = seen[u] && piece < k;
            kRaw[u][i] = read ? __ldcs(at) : uint4{0, 0, 0, 0};
            vRaw[u][i] = read ? __ldcs(at + KV_PAGE * k / Vec<O>::N) : uint4{0, 0, 0, 0};
        }
    }
    float score[U][G], f[U][8];
#pragma unroll
    for (int u = 0; u < U; u++)
#pragma unroll
        for (int i = 0; i < LOADS; i++) unpack(kRaw[u][i], f[u] + i * Vec<O>::N, O());
#pragma unroll
    for (int g = 0; g < G; g++) {
        float q[8];
        queries.get(g, q);
#pragma unroll
        for (int u = 0; u < U; u++) {
            score[u][g] = 0.f;
#pragma unroll
            for (int j = 0; j < 8; j++) score[u][g] = fmaf(q[j], f[u][j], score[u][g]);
        }
    }
    for (int o = L >> 1; o > 0; o >>= 1)
#pragma unroll
        for (int u = 0; u < U; u++)
#pragma unroll
            for (int g = 0; g < G; g++) score[u][g] += __shfl_xor_sync(0xffffffffu, score[u][g], o);
#pragma unroll
    for (int g = 0; g < G; g++) {
        float higher = state[g].top;
#pragma unroll
        for (int u = 0; u < U; u++) {
            score[u][g] = seen[u] ? capped(score[u][g], d.softCap) : MINUS_INFINITY;
            higher = fmaxf(higher, score[u][g]);
        }
        const float from = higher == MINUS_INFINITY ? 0.f : higher, fade = fall(state[g].top - from);
        state[g].top = higher;
        state[g].total *= fade;
#pragma unroll
        for (int j = 0; j < 8; j++) state[g].sum[j] *= fade;
#pragma unroll
        for (int u = 0; u < U; u++) {
            score[u][g] = fall(score[u][g] - from);
            state[g].total += score[u][g];
        }
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) unpack(vRaw[u][i], f[u] + i * Vec<O>::N, O());
#pragma unroll
        for (int g = 0; g < G; g++)
#pragma unroll
            for (int j = 0; j < 8; j++) state[g].sum[j] = fmaf(score[u][g], f[u][j], state[g].sum[j]);
    }
}

// The positions of this split for G query heads (the first of them at q, live of them real); leaves each warp's sums in
// merge [DECODE_WARPS][G][headDim + 2]: sum, top, total.
template <class O, int G>
__device__ __forceinline__ void decode_split(const Decode<O>& d, const float* query, int live, float* merge) {
    constexpr int U = sizeof(O) == 4 ? 2 : 4;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, k = d.kv.headDim;
    const int L = k <= 64 ? 8 : k <= 128 ? 16 : 32, piece = (lane & (L - 1)) * 8, step = U * (32 / L);
    Queries<G> q;
    q.load(query, live, d.scale, k, piece, merge + DECODE_WARPS * G * (k + 2));
    Softmax state[G];
#pragma unroll
    for (int g = 0; g < G; g++) {
        state[g].top = MINUS_INFINITY;
        state[g].total = 0.f;
#pragma unroll
        for (int j = 0; j < 8; j++) state[g].sum[j] = 0.f;
    }
    int base = (d.begin & ~(step - 1)) + warp * step;  // a step lies within one page
    const O* keys = base < d.end ? d.kv.keys(d.pages[base / KV_PAGE]) : nullptr;
    while (base < d.end) {
        const int next = base + DECODE_WARPS * step;
        const O* nextKeys = next < d.end ? d.kv.keys(d.pages[next / KV_PAGE]) : nullptr;  // two dependent loads, done early
        decode_step<O, G, U>(d, q, state, keys, base, L);
        keys = nextKeys;
        base = next;
    }
#pragma unroll
    for (int g = 0; g < G; g++) {
        for (int o = L; o < 32; o <<= 1) {
            float other[8];
#pragma unroll
            for (int j = 0; j < 8; j++) other[j] = __shfl_xor_sync(0xffffffffu, state[g].sum[j], o);
            const float top = __shfl_xor_sync(0xffffffffu, state[g].top, o), total = __shfl_xor_sync(0xffffffffu, state[g].total, o);
            state[g].add(top, total, other);
        }
        float* m = merge + (warp * G + g) * (k + 2);
        if (lane < L && piece < k)
#pragma unroll
            for (int j = 0; j < 8; j++) m[piece + j] = state[g].sum[j];
        if (lane == 0) {
            m[k] = state[g].top;
            m[k + 1] = state[g].total;
        }
    }
    __syncthreads();
}

// Merges count records of width k + 2, stride apart, at column i; gives the sum, and top and total through the references.
__device__ __forceinline__ float merged(const float* records, int stride, int count, int k, int i, float& top, float& total) {
    top = MINUS_INFINITY;
    for (int c = 0; c < count; c++) top = fmaxf(top, records[c * stride + k]);
    float sum = 0.f;
    total = 0.f;
    for (int c = 0; c < count; c++) {
        const float w = fall(records[c * stride + k] - top);
        sum = fmaf(w, records[c * stride + i], sum);
        total = fmaf(w, records[c * stride + k + 1], total);
    }
    return sum;
}

// The warps' results of a block as one: to out if the row has one split only, else to partial.
template <class O, int G>
__device__ __forceinline__ void decode_store(const float* merge, int k, int live, bool only, float* partial, int headStride, O* out) {
    for (int e = threadIdx.x; e < live * k; e += blockDim.x) {
        const int g = e / k, i = e - g * k;
        float top, total;
        const float sum = merged(merge + g * (k + 2), G * (k + 2), DECODE_WARPS, k, i, top, total);
        if (only) {
            out[e] = from_float<O>(sum / total);
            continue;
        }
        float* to = partial + (long long)g * headStride;
        to[i] = sum;
        if (i == 0) {
            to[k] = top;
            to[k + 1] = total;
        }
    }
    __syncthreads();  // merge may be written again
}

// One query head of all splits as one, by one warp; records [count][k + 2], written by other blocks and so read at L2, never from a
// line that L1 kept.
template <class O>
__device__ __forceinline__ void combine_splits(const float* records, int count, int k, O* out) {
    const int lane = threadIdx.x & 31;
    float top = MINUS_INFINITY;
    for (int c = lane; c < count; c += 32) top = fmaxf(top, __ldcg(records + (long long)c * (k + 2) + k));
    top = warp_max(top);
    float total = 0.f, sum[8] = {};
#pragma unroll 4
    for (int c = 0; c < count; c++) {
        const float* r = records + (long long)c * (k + 2);
        const float w = fall(__ldcg(r + k) - top);
        total = fmaf(w, __ldcg(r + k + 1), total);
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (lane + 32 * i < k) sum[i] = fmaf(w, __ldcg(r + lane + 32 * i), sum[i]);
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (lane + 32 * i < k) out[lane + 32 * i] = from_float<O>(sum[i] / total);
}

#define DECODE_PARAMETERS(O)                                                                                               \
    const float *qkv, int columns, int qColumn, const RowArgs *rows, const int *rowList, void *const *slabs, int slabShift, \
        long long pageElements, int block, int heads, int kvHeads, int headDim, float scale, float softCap, int window,     \
        float *partial, int *counters, O *out, int chunk
#define DECODE_ARGUMENTS                                                                                                    \
    qkv, columns, qColumn, rows, rowList, slabs, slabShift, pageElements, block, heads, kvHeads, headDim, scale, softCap,  \
        window, partial, counters, out, chunk

template <class O, int G>
__device__ __forceinline__ void decode(DECODE_PARAMETERS(O)) {
    DYN_SHARED(float, merge);
    __shared__ int last;
    const int row = rowList ? rowList[blockIdx.z] : blockIdx.z;
    if (row < 0) return;
    const int p = rows->position[row], first = first_seen(p, window), group = heads / kvHeads, splits = gridDim.y, split = blockIdx.y;
    const int from = min(first / chunk, splits - 1), to = min(p / chunk, splits - 1);
    if (split < from || split > to) return;
    Decode<O> d{kv_head<O>(slabs, slabShift, pageElements, block, kvHeads, headDim, blockIdx.x),
                rows->pages + (long long)rows->sequence[row] * rows->pageStride, scale, softCap, max(first, split * chunk),
                split == to ? p + 1 : (split + 1) * chunk};
    const int head = blockIdx.x * group, record = headDim + 2;
    const float* query = qkv + (long long)row * columns + qColumn + head * headDim;
    float* mine = partial + ((long long)blockIdx.z * heads + head) * splits * record;
    O* result = out + ((long long)row * heads + head) * headDim;
    for (int g = 0; g < group; g += G) {
        const int live = min(G, group - g);
        decode_split<O, G>(d, query + g * headDim, live, merge);
        decode_store<O, G>(merge, headDim, live, from == to, mine + ((long long)g * splits + split) * record, splits * record,
                           result + g * headDim);
    }
    if (from == to) return;
    __threadfence();
    __syncthreads();
    int* counter = counters + blockIdx.z * kvHeads + blockIdx.x;
    if (threadIdx.x == 0) last = atomicAdd(counter, 1) == to - from;
    __syncthreads();
    if (!last) return;
    __threadfence();
    for (int g = threadIdx.x >> 5; g < group; g += DECODE_WARPS)
        combine_splits(mine + ((long long)g * splits + from) * record, to - from + 1, headDim, result + g * headDim);
    if (threadIdx.x == 0) *counter = 0;  // ready for the next launch
}

template <class O>
__device__ __forceinline__ void decode_naive(DECODE_PARAMETERS(O)) {
    const int row = rowList ? rowList[blockIdx.z] : blockIdx.z;
    if (row < 0 || blockIdx.y > 0) return;
    const int group = heads / kvHeads;
    const KvHead<O> kv = kv_head<O>(slabs, slabShift, pageElements, block, kvHeads, headDim, blockIdx.x);
    const int* pages = rows->pages + (long long)rows->sequence[row] * rows->pageStride;
    for (int g = threadIdx.x >> 5; g < group; g += blockDim.x >> 5) {
        const int head = blockIdx.x * group + g;
        attend_row(qkv + (long long)row * columns + qColumn + head * headDim, kv, pages, rows->position[row], scale, softCap, window,
                   out + ((long long)row * heads + head) * headDim);
    }
}

#define DECODE(O, T, G)                                                                                                     \
    extern "C" __global__ void __launch_bounds__(128, G < 8 ? 3 : 2) attend_decode_##O##_g##G(DECODE_PARAMETERS(T)) {      \
        decode<T, G>(DECODE_ARGUMENTS);                                                                                     \
    }
#define DECODE_ALL(O, T)                                                                                                    \
    extern "C" __global__ void __launch_bounds__(128) attend_decode_##O##_naive(DECODE_PARAMETERS(T)) {                    \
        decode_naive<T>(DECODE_ARGUMENTS);                                                                                  \
    }                                                                                                                       \
    DECODE(O, T, 1) DECODE(O, T, 2) DECODE(O, T, 4) DECODE(O, T, 8)
DECODE_ALL(f32, float)
DECODE_ALL(bf16, bf16)
DECODE_ALL(f16, f16)
