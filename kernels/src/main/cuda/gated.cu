// gated: out[t, i] = act(x[t, i]) * x[t, f + i]; x [T, 2f], out [T, f]; activation is the ordinal of Activation.
// Grid (any, T): the blocks of a row share its numbers; ceil(f / 1024) blocks of 256 read each number once.
//   gated_{O}        four neighbours an access where f and addresses allow
//   gated_{O}_naive  one number an access
// activation_{O}: out[i] = act(x[i]), n numbers. scale_cap: in place x[i] = scale * x[i], then cap * tanh(x[i] / cap) if cap
// is above 0. Any grid in one dimension, any block (256).
#include "common.cuh"

template <class O>
__device__ __forceinline__ void gated_naive(const float* x, int f, int activation, O* out) {
    const float* gate = x + 2ll * blockIdx.y * f;
    O* to = out + (long long)blockIdx.y * f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < f; i += gridDim.x * blockDim.x)
        to[i] = from_float<O>(activate(activation, gate[i]) * gate[f + i]);
}

template <class O>
__device__ __forceinline__ void gated(const float* x, int f, int activation, O* out) {
    if (f % 4 != 0 || !aligned4(x) || !aligned4(out)) {
        gated_naive(x, f, activation, out);
        return;
    }
    const float* gate = x + 2ll * blockIdx.y * f;
    O* to = out + (long long)blockIdx.y * f;
    for (int i = (blockIdx.x * blockDim.x + threadIdx.x) * 4; i < f; i += gridDim.x * blockDim.x * 4) {
        const float4 g = load4(gate + i), u = load4(gate + f + i);
        store4(to + i, float4{activate(activation, g.x) * u.x, activate(activation, g.y) * u.y,
                              activate(activation, g.z) * u.z, activate(activation, g.w) * u.w});
    }
}

#define GATED(O, suffix)                                                                                         \
    extern "C" __global__ void gated_##suffix(const float* x, int f, int activation, O* out) {                   \
        gated(x, f, activation, out);                                                                            \
    }                                                                                                            \
    extern "C" __global__ void gated_##suffix##_naive(const float* x, int f, int activation, O* out) {           \
        gated_naive(x, f, activation, out);                                                                      \
    }
FOR_OPERANDS(GATED)

extern "C" __global__ void scale_cap(float* x, long long n, float scale, float cap) {
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) {
        const float v = scale * x[i];
        x[i] = cap > 0.f ? cap * tanhf(v / cap) : v;
    }
}

#define ACTIVATION(O, suffix)                                                                                         \
    extern "C" __global__ void activation_##suffix(const float* x, long long n, int activation, O* out) {             \
        for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) \
            out[i] = from_float<O>(activate(activation, x[i]));                                                       \
    }
FOR_OPERANDS(ACTIVATION)
