// embed: out[t] = table[ids[t]] * scale. Grid (T), block any multiple of 32 (256).
//   embed_{f32,bf16,f16}        four neighbours an access where width and addresses allow
//   embed_{f32,bf16,f16}_naive  one number an access
#include "common.cuh"

template <class W>
__device__ __forceinline__ void embed_naive(const W* table, const int* ids, float scale, float* out, int d) {
    const W* from = table + (long long)ids[blockIdx.x] * d;
    float* to = out + (long long)blockIdx.x * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) to[i] = to_float(from[i]) * scale;
}

template <class W>
__device__ __forceinline__ void embed(const W* table, const int* ids, float scale, float* out, int d) {
    if (d % 4 != 0 || !aligned4(table) || !aligned4(out)) {
        embed_naive(table, ids, scale, out, d);
        return;
    }
    const W* from = table + (long long)ids[blockIdx.x] * d;
    float* to = out + (long long)blockIdx.x * d;
    for (int i = threadIdx.x * 4; i < d; i += blockDim.x * 4) {
        float4 v = load4(from + i);
        store4(to + i, float4{v.x * scale, v.y * scale, v.z * scale, v.w * scale});
    }
}

#define EMBED(W, suffix)                                                                                       \
    extern "C" __global__ void embed_##suffix(const W* table, const int* ids, float scale, float* out, int d) { \
        embed(table, ids, scale, out, d);                                                                      \
    }                                                                                                          \
    extern "C" __global__ void embed_##suffix##_naive(const W* table, const int* ids, float scale, float* out, \
                                                      int d) {                                                 \
        embed_naive(table, ids, scale, out, d);                                                                \
    }
FOR_OPERANDS(EMBED)
