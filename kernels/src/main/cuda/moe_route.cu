// Routing of a mixture of experts.
//   moe_route        per row: softmax over the experts' logits, then the topK largest in falling order (the first on ties),
//                    made to sum to 1 if normalise; expert, weight [T, topK]. NaN logits are never chosen; where fewer than
//                    topK are left, expert 0 with weight NaN. Grid (T), block 32
//   moe_route_naive  the same with one thread. Grid (T), block 1
//   moe_sort         groups the entries (t * topK + k) by expert: those of expert e are order[start[e]] .. order[start[e + 1] - 1],
//                    in rising order. A warp an expert, which counts what lies before it, so blocks need not wait for each
//                    other. Grid (ceil(experts / warps of a block)), block a multiple of 32 (128)
//   moe_sort_naive   one thread. Grid 1, block 1
#include "common.cuh"

// Does (v, i) come after (w, j) in the order of choice?
__device__ __forceinline__ bool chosen_later(float v, int i, float w, int j) { return v < w || (v == w && i > j); }

extern "C" __global__ void moe_route(const float* logits, int experts, int topK, int normalise, int* expert, float* weight) {
    const float* x = logits + (long long)blockIdx.x * experts;
    const long long to = (long long)blockIdx.x * topK;
    const int lane = threadIdx.x;
    float max = -INFINITE, sum = 0.f, kept = 0.f;
    for (int i = lane; i < experts; i += 32) max = fmaxf(max, x[i]);
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, o));
    for (int i = lane; i < experts; i += 32) sum += expf(x[i] - max);
    sum = warp_sum(sum);
    float last = INFINITE;
    int lastIndex = -1;
    for (int k = 0; k < topK; k++) {
        float best = -INFINITE;
        int index = experts;  // none yet
        for (int i = lane; i < experts; i += 32)
            if (chosen_later(x[i], i, last, lastIndex) && (index == experts || x[i] > best)) best = x[i], index = i;
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) {
            const float v = __shfl_xor_sync(0xffffffffu, best, o);
            const int i = __shfl_xor_sync(0xffffffffu, index, o);
            if (i < experts && (index == experts || chosen_later(best, index, v, i))) best = v, index = i;
        }
        last = best;
        lastIndex = index;
        const float p = index < experts ? expf(best - max) / sum : sum * __uint_as_float(0x7fc00000u);
        kept += p;
        if (lane == 0) {
            expert[to + k] = index < experts ? index : 0;
            weight[to + k] = p;
        }
    }
    if (normalise && lane == 0)
        for (int k = 0; k < topK; k++) weight[to + k] /= kept;
}

extern "C" __global__ void moe_route_naive(const float* logits, int experts, int topK, int normalise, int* expert,
                                           float* weight) {
    const float* x = logits + (long long)blockIdx.x * experts;
    expert += (long long)blockIdx.x * topK;
    weight += (long long)blockIdx.x * topK;
    float max = -INFINITE, sum = 0.f, kept = 0.f;
    for (int i = 0; i < experts; i++) max = fmaxf(max, x[i]);
    for (int i = 0; i < experts; i++) sum += expf(x[i] - max);
    for (int k = 0; k < topK; k++) {
        int best = -1;
        for (int i = 0; i < experts; i++) {
            bool taken = x[i] != x[i];
            for (int j = 0; j < k; j++) taken |= expert[j] == i;
            if (!taken && (best < 0 || x[i] > x[best])) best = i;
        }
        expert[k] = best < 0 ? 0 : best;
        weight[k] = best < 0 ? __uint_as_float(0x7fc00000u) : expf(x[best] - max) / sum;
        kept += weight[k];
    }
    for (int k = 0; k < topK && normalise; k++) weight[k] /= kept;
}

extern "C" __global__ void moe_sort(const int* expert, int entries, int experts, int* start, int* order) {
    const int e = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (e >= experts) return;
    int before = 0;
    for (int i = lane; i < entries; i += 32) before += expert[i] < e;
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) before += __shfl_xor_sync(0xffffffffu, before, o);
    if (lane == 0) start[e] = before;
    for (int first = 0; first < entries; first += 32) {
        const bool mine = first + lane < entries && expert[first + lane] == e;
        const unsigned all = __ballot_sync(0xffffffffu, mine);
        if (mine) order[before + __popc(all & ((1u << lane) - 1))] = first + lane;
        before += __popc(all);
    }
    if (lane == 0 && e == experts - 1) start[experts] = before;
}

extern "C" __global__ void moe_sort_naive(const int* expert, int entries, int experts, int* start, int* order) {
    int at = 0;
    for (int e = 0; e < experts; e++) {
        start[e] = at;
        for (int i = 0; i < entries; i++)
            if (expert[i] == e) order[at++] = i;
    }
    start[experts] = at;
}
