// Attention of many consecutive rows of a sequence (prefill): out[t, head] = softmax(scale * q.K) V over the positions each row
// sees, already stored in pages.
//
//   attend_prefill_{O}_naive                       one warp per row and query head, positions one after the other; any head width to 256
//   attend_prefill_f32                             K and V tiles in shared memory; head width a multiple of 4
//   attend_prefill_{bf16,f16}_k{64,96,128,256}     tensor cores; head width a multiple of 8, at most the one in the name
//
// Parameters (O = float, bf16, f16): qkv .. window and out as in attention.cu; tiles [gridDim.x] {first row, count <= 64}, rows of one
// sequence in order of position; a count of 0: nothing to do.
// Launch: grid (tiles, heads), block 128. Dynamic shared memory in bytes (over 48 KB with the opt-in of the driver): naive 0,
// f32 48 * (headDim + 4) * 4, k64 18432, k96 26624, k128 34816, k256 67584.
//
// What attend_prefill_f32 changes: 16 rows of the tile share each read of 32 positions. The order of additions is that of the naive
// form, so prefill and the naive decode give the same bits.
//
// What the tensor-core form changes: each of 4 warps has 16 rows; queries stay in registers as fragments (k256: in shared memory),
// rounded to O. Tiles of 64
// positions (32 for k256) come by asynchronous copies: values travel while scores are computed, the next keys while values are
// summed; 2 blocks share an SM (k64: 3). Scores and sums are float, weights are rounded to O. On-line softmax in
// powers of 2 (one multiplication less per score). Rows lie 16 bytes further apart than their width, so that the 8 rows of a matrix
// load fall on different banks. Tiles end at multiples of 64 positions from 0 and masked ones change nothing, so a row's result does not
// depend on the rows beside it. The longest tiles start first.
#include "attention.cuh"
#include "mma.cuh"

#define PREFILL_PARAMETERS(O)                                                                                               \
    const float *qkv, int columns, int qColumn, const RowArgs *rows, const Tile *tiles, void *const *slabs, int slabShift, \
        long long pageElements, int block, int heads, int kvHeads, int headDim, float scale, float softCap, int window, O *out
#define PREFILL_ARGUMENTS                                                                                                  \
    qkv, columns, qColumn, rows, tiles, slabs, slabShift, pageElements, block, heads, kvHeads, headDim, scale, softCap, window, out

template <class O>
__device__ __forceinline__ void prefill_naive(PREFILL_PARAMETERS(O)) {
    const Tile tile = tiles[blockIdx.x];
    const int head = blockIdx.y;
    const KvHead<O> kv = kv_head<O>(slabs, slabShift, pageElements, block, kvHeads, headDim, head / (heads / kvHeads));
    for (int i = threadIdx.x >> 5; i < tile.count; i += blockDim.x >> 5) {
        const int row = tile.first + i;
        attend_row(qkv + (long long)row * columns + qColumn + head * headDim, kv,
                   rows->pages + (long long)rows->sequence[row] * rows->pageStride, rows->position[row], scale, softCap, window,
                   out + ((long long)row * heads + head) * headDim);
    }
}

// Positions that the rows of a tile see together.
struct Span {
    const int* pages;
    int first, last;
};
__device__ __forceinline__ Span span_of(const RowArgs* rows, int first, int count, int window) {
    return Span{rows->pages + (long long)rows->sequence[first] * rows->pageStride, first_seen(rows->position[first], window),
                rows->position[first + count - 1]};
}

// ---- float

#define F32_ROWS 4  // of a warp

// Keys or values of 32 positions to shared memory, rows k + 4 apart; zeros for positions outside the span.
__device__ __forceinline__ void stage_f32(const KvHead<float>& kv, const Span& span, int base, int offset, float* to) {
    const int k = kv.headDim, pieces = k >> 2;
    for (int e = threadIdx.x; e < 32 * pieces; e += blockDim.x) {
        const int j = e / pieces, i = (e - j * pieces) * 4, s = base + j;
        float4 v{0.f, 0.f, 0.f, 0.f};
        if (s >= span.first && s <= span.last)
            v = *reinterpret_cast<const float4*>(kv.keys(span.pages[s / KV_PAGE]) + offset + (s % KV_PAGE) * k + i);
        *reinterpret_cast<float4*>(to + j * (k + 4) + i) = v;
    }
}

// The warp's rows over 32 positions from base on: keys [32][k + 4] lane by lane, then values in the same place.
struct RowsF32 {
    int p[F32_ROWS];  // -1: no such row
    float top[F32_ROWS], total[F32_ROWS], sum[F32_ROWS][8];

    __device__ __forceinline__ void scores(const float* q, const float* key, int k, float* score) const {
#pragma unroll
        for (int r = 0; r < F32_ROWS; r++) score[r] = 0.f;
        for (int i = 0; i < k; i += 4) {
            const float4 b = *reinterpret_cast<const float4*>(key + i);
#pragma unroll
            for (int r = 0; r < F32_ROWS; r++) {
                const float4 a = *reinterpret_cast<const float4*>(q + r * k + i);
                score[r] = fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, score[r]))));
            }
        }
    }
    // Scores become weights.
    __device__ __forceinline__ void weigh(float* score, int s, float scale, float softCap, int window) {
#pragma unroll
        for (int r = 0; r < F32_ROWS; r++) {
            const bool seen = s <= p[r] && s >= first_seen(p[r], window);
            const float higher = fmaxf(top[r], warp_max(seen ? capped(scale * score[r], softCap) : MINUS_INFINITY));
            const float from = higher == MINUS_INFINITY ? 0.f : higher, fade = fall(top[r] - from);
            score[r] = seen ? fall(capped(scale * score[r], softCap) - from) : 0.f;
            top[r] = higher;
            total[r] = total[r] * fade + warp_sum(score[r]);
#pragma unroll
            for (int c = 0; c < 8; c++) sum[r][c] *= fade;
        }
    }
    __device__ __forceinline__ void add(const float* weight, const float* values, int k) {
        const int lane = threadIdx.x & 31;
        for (int j = 0; j < 32; j++) {
            float w[F32_ROWS];
#pragma unroll
            for (int r = 0; r < F32_ROWS; r++) w[r] = __shfl_sync(0xffffffffu, weight[r], j);
#pragma unroll
            for (int c = 0; c < 8; c++)
                if (lane + 32 * c < k) {
                    const float v = values[j * (k + 4) + lane + 32 * c];
#pragma unroll
                    for (int r = 0; r < F32_ROWS; r++) sum[r][c] = fmaf(w[r], v, sum[r][c]);
                }
        }
    }
};

// count <= 16 rows from first on
__device__ __forceinline__ void prefill_f32_rows(int first, int count, float* queries, float* staged, const KvHead<float>& kv,
                                                 const float* qkv, int columns, const RowArgs* rows, float scale, float softCap,
                                                 int window, int heads, float* out) {
    const int lane = threadIdx.x & 31, mine = (threadIdx.x >> 5) * F32_ROWS, k = kv.headDim;
    const Span span = span_of(rows, first, count, window);
    for (int e = threadIdx.x; e < 16 * k; e += blockDim.x) {
        const int r = e / k;
        queries[e] = r < count ? qkv[(long long)(first + r) * columns + e - r * k] : 0.f;
    }
    RowsF32 state;
#pragma unroll
    for (int r = 0; r < F32_ROWS; r++) {
        state.p[r] = mine + r < count ? rows->position[first + mine + r] : -1;
        state.top[r] = MINUS_INFINITY;
        state.total[r] = 0.f;
#pragma unroll
        for (int c = 0; c < 8; c++) state.sum[r][c] = 0.f;
    }
    for (int base = span.first & ~31; base <= span.last; base += 32) {
        float score[F32_ROWS];
        stage_f32(kv, span, base, 0, staged);
        __syncthreads();
        state.scores(queries + mine * k, staged + lane * (k + 4), k, score);
        __syncthreads();
        stage_f32(kv, span, base, kv.toValues(), staged);
        __syncthreads();
        state.weigh(score, base + lane, scale, softCap, window);
        state.add(score, staged, k);
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < F32_ROWS; r++)
        for (int c = 0; c < 8; c++)
            if (mine + r < count && lane + 32 * c < k)
                out[(long long)(first + mine + r) * heads * k + lane + 32 * c] = state.sum[r][c] / state.total[r];
}

__device__ __forceinline__ void prefill_f32(PREFILL_PARAMETERS(float)) {
    DYN_SHARED(float, room);
    const Tile tile = tiles[gridDim.x - 1 - blockIdx.x];
    const int head = blockIdx.y;
    const KvHead<float> kv = kv_head<float>(slabs, slabShift, pageElements, block, kvHeads, headDim, head / (heads / kvHeads));
    for (int i = 0; i < tile.count; i += 16)  // each call ends with the shared memory free again
        prefill_f32_rows(tile.first + i, min(16, tile.count - i), room, room + 16 * headDim, kv, qkv + qColumn + head * headDim, columns,
                         rows, scale, softCap, window, heads, out + head * headDim);
}

// ---- tensor cores

// Tiles of N positions of one key/value head in shared memory, K the padded head width.
template <class O, int K, int N>
struct Stage {
    static constexpr int STRIDE = K + 8;
    const O* page[N / KV_PAGE];  // null where no row of the tile looks

    __device__ __forceinline__ void find(const KvHead<O>& kv, const Span& span, int base) {
#pragma unroll
        for (int i = 0; i < N / KV_PAGE; i++) {
            const int s = base + i * KV_PAGE;
            page[i] = s + KV_PAGE > span.first && s <= span.last ? kv.keys(span.pages[s / KV_PAGE]) : nullptr;
        }
    }
    // Starts the copy of keys (offset 0) or values; what no row sees becomes zero, for it may hold anything.
    __device__ __forceinline__ void start(const KvHead<O>& kv, const Span& span, int base, int offset, SharedAddress to) const {
        constexpr int PIECES = K / 8;
#pragma unroll
        for (int i = 0; i < N / KV_PAGE; i++)
#pragma unroll
            for (int e = 0; e < (KV_PAGE * PIECES + 127) / 128; e++) {
                const int at = e * 128 + threadIdx.x, j = at / PIECES, column = (at - j * PIECES) * 8, s = base + i * KV_PAGE + j;
                if ((KV_PAGE * PIECES) % 128 && j >= KV_PAGE) continue;
                const bool real = s >= span.first && s <= span.last && column < kv.headDim;
                copy16_async(to + ((i * KV_PAGE + j) * STRIDE + column) * 2, real ? page[i] + offset + j * kv.headDim + column : page[0], real);
            }
        copy_commit();
    }
};

// A warp's 16 rows; a lane has parts of rows lane / 4 and lane / 4 + 8.
template <class O, int K, int N>
struct Rows16 {
    static constexpr int STRIDE = K + 8;
    static constexpr bool KEEP = K <= 128;  // queries in registers; else there is no room beside the sums
    unsigned q[KEEP ? K / 16 : 1][4];
    SharedAddress queries;
    float sum[K / 8][4], top[2], total[2];
    int first[2], last[2];  // positions that the rows see

    __device__ __forceinline__ void begin(SharedAddress from) {
        const int lane = threadIdx.x & 31;
        queries = from + ((lane & 15) * STRIDE + (lane >> 4) * 8) * 2;
#pragma unroll
        for (int i = 0; i < (KEEP ? K / 16 : 0); i++) load_matrices(q[i], queries + i * 32);
#pragma unroll
        for (int i = 0; i < K / 8; i++)
#pragma unroll
            for (int e = 0; e < 4; e++) sum[i][e] = 0.f;
        top[0] = top[1] = MINUS_INFINITY;
        total[0] = total[1] = 0.f;
    }
    __device__ __forceinline__ void scores(SharedAddress keys, float (*score)[4]) {
        const int lane = threadIdx.x & 31;
        const SharedAddress from = keys + (((lane & 7) + (lane >> 4) * 8) * STRIDE + (lane >> 3 & 1) * 8) * 2;
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) score[n][e] = 0.f;
#pragma unroll
        for (int i = 0; i < K / 16; i++) {
            unsigned* a = q[KEEP ? i : 0];
            if (!KEEP) load_matrices(a, queries + i * 32);
#pragma unroll
            for (int n = 0; n < N / 16; n++) {
                unsigned b[4];
                load_matrices(b, from + (n * 16 * STRIDE + i * 16) * 2);
                multiply_tile(score[2 * n], a, b, O());
                multiply_tile(score[2 * n + 1], a, b + 2, O());
            }
        }
    }
    // Scores become weights; base 2 logarithms: factor = scale * log2 e, cap = soft cap * log2 e or 0.
    __device__ __forceinline__ void weigh(float (*score)[4], int base, bool masked, float factor, float cap) {
        const int column = (threadIdx.x & 3) * 2;
        float higher[2] = {top[0], top[1]};
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                float s = capped(factor * score[n][e], cap);
                const int at = base + n * 8 + column + (e & 1);
                if (masked && (at < first[e >> 1] || at > last[e >> 1])) s = MINUS_INFINITY;
                score[n][e] = s;
                higher[e >> 1] = fmaxf(higher[e >> 1], s);
            }
        float from[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            higher[r] = fmaxf(higher[r], __shfl_xor_sync(0xffffffffu, higher[r], 1));
            higher[r] = fmaxf(higher[r], __shfl_xor_sync(0xffffffffu, higher[r], 2));
            from[r] = higher[r] == MINUS_INFINITY ? 0.f : higher[r];
            const float fade = exp2_fast(top[r] - from[r]);
            top[r] = higher[r];
            total[r] *= fade;
#pragma unroll
            for (int i = 0; i < K / 8; i++) {
                sum[i][2 * r] *= fade;
                sum[i][2 * r + 1] *= fade;
            }
        }
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                score[n][e] = exp2_fast(score[n][e] - from[e >> 1]);
                total[e >> 1] += score[n][e];
            }
    }
    __device__ __forceinline__ void add(const float (*weight)[4], SharedAddress values) {
        const int lane = threadIdx.x & 31;
        const SharedAddress from = values + ((lane & 15) * STRIDE + (lane >> 4) * 8) * 2;
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            const float *a = weight[2 * n], *b = weight[2 * n + 1];
            const unsigned w[4] = {pack2(a[0], a[1], O()), pack2(a[2], a[3], O()), pack2(b[0], b[1], O()), pack2(b[2], b[3], O())};
#pragma unroll
            for (int i = 0; i < K / 16; i++) {
                unsigned v[4];
                load_matrices_transposed(v, from + (n * 16 * STRIDE + i * 16) * 2);
                multiply_tile(sum[2 * i], w, v, O());
                multiply_tile(sum[2 * i + 1], w, v + 2, O());
            }
        }
    }
    // out: of the warp's first row
    __device__ __forceinline__ void store(O* out, int rowStride, int count, int headDim) {
        const int row = (threadIdx.x & 31) >> 2, column = (threadIdx.x & 3) * 2;
#pragma unroll
        for (int r = 0; r < 2; r++) {
            total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
            total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
            if (row + 8 * r >= count) continue;
            O* to = out + (long long)(row + 8 * r) * rowStride + column;
            const float scale = 1.f / total[r];
#pragma unroll
            for (int i = 0; i < K / 8; i++)
                if (i * 8 < headDim)
                    *reinterpret_cast<Word*>(to + i * 8) = pack2(sum[i][2 * r] * scale, sum[i][2 * r + 1] * scale, O());
        }
    }
};

template <class O, int K, int N>
__device__ __forceinline__ void prefill(PREFILL_PARAMETERS(O)) {
    constexpr int STRIDE = K + 8;
    DYN_SHARED(O, room);  // queries [64]; in their place, or beside them where they stay, keys [N] and values [N]
    const SharedAddress queries = shared_address(room), keys = queries + (Rows16<O, K, N>::KEEP ? 0 : 64 * STRIDE * 2),
                        values = keys + N * STRIDE * 2;
    const Tile tile = tiles[gridDim.x - 1 - blockIdx.x];
    if (tile.count == 0) return;
    const int head = blockIdx.y, lane = threadIdx.x & 31, mine = (threadIdx.x >> 5) * 16, count = min(16, tile.count - mine);
    const KvHead<O> kv = kv_head<O>(slabs, slabShift, pageElements, block, kvHeads, headDim, head / (heads / kvHeads));
    const Span span = span_of(rows, tile.first, tile.count, window);
    for (int e = threadIdx.x; e < 64 * K; e += 128) {
        const int r = e / K, i = e - r * K;
        const bool real = r < tile.count && i < headDim;
        room[r * STRIDE + i] = from_float<O>(real ? qkv[(long long)(tile.first + r) * columns + qColumn + head * headDim + i] : 0.f);
    }
    __syncthreads();
    Rows16<O, K, N> state;
    state.begin(queries + mine * STRIDE * 2);
    for (int r = 0; r < 2; r++) {
        const int i = (lane >> 2) + 8 * r, p = i < count ? rows->position[tile.first + mine + i] : -1;
        state.first[r] = first_seen(p, window);
        state.last[r] = p;
    }
    // What the warp's rows see: from low on, all of it up to full, nothing beyond high.
    int low = 0, lowAll = 0, full = -1, high = -1;
    if (count > 0) {
        full = rows->position[tile.first + mine];
        high = rows->position[tile.first + mine + count - 1];
        low = first_seen(full, window);
        lowAll = first_seen(high, window);
        if (count < 16) full = -1;  // rows that do not exist see nothing
    }
    const float log2e = 1.4426950408889634f, factor = scale * log2e, cap = softCap * log2e;
    Stage<O, K, N> stage;
    int base = span.first & ~(N - 1);
    stage.find(kv, span, base);
    __syncthreads();  // the queries have been read
    stage.start(kv, span, base, 0, keys);
    for (; base <= span.last; base += N) {
        float score[N / 8][4];
        const bool some = base <= high && base + N > low;
        copy_wait<0>();
        __syncthreads();  // keys are here, the values before them are done with
        stage.start(kv, span, base, kv.toValues(), values);
        stage.find(kv, span, base + N);
        if (some) state.scores(keys, score);
        copy_wait<0>();
        __syncthreads();  // values are here, keys are done with
        if (base + N <= span.last) stage.start(kv, span, base + N, 0, keys);
        if (some) {
            state.weigh(score, base, base < lowAll || base + N - 1 > full, factor, cap);
            state.add(score, values);
        }
    }
    state.store(out + ((long long)(tile.first + mine) * heads + head) * headDim, heads * headDim, count, headDim);
}

#define PREFILL_NAIVE(O, T)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128) attend_prefill_##O##_naive(PREFILL_PARAMETERS(T)) {                  \
        prefill_naive<T>(PREFILL_ARGUMENTS);                                                                                \
    }
#define PREFILL(O, K, N, BLOCKS)                                                                                            \
    extern "C" __global__ void __launch_bounds__(128, BLOCKS) attend_prefill_##O##_k##K(PREFILL_PARAMETERS(O)) {           \
        prefill<O, K, N>(PREFILL_ARGUMENTS);                                                                                \
    }
#define PREFILL_ALL(O) PREFILL(O, 64, 64, 3) PREFILL(O, 96, 64, 2) PREFILL(O, 128, 64, 2) PREFILL(O, 256, 32, 2)
extern "C" __global__ void __launch_bounds__(128) attend_prefill_f32(PREFILL_PARAMETERS(float)) { prefill_f32(PREFILL_ARGUMENTS); }
PREFILL_NAIVE(f32, float)
PREFILL_NAIVE(bf16, bf16)
PREFILL_NAIVE(f16, f16)
PREFILL_ALL(bf16)
PREFILL_ALL(f16)
