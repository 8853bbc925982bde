// What all kernels share: number types, conversions, vector accesses, reductions. Needs no CUDA header, so that nvcc, NVRTC
// and a plain g++ (with simt/cuda_cpu.h, which runs the threads of a block on the CPU) compile the same files.
#pragma once
#ifndef __CUDACC__
#include "simt/cuda_cpu.h"
#endif
#ifndef DYN_SHARED
#define DYN_SHARED(T, name)                                             \
    extern __shared__ __align__(16) unsigned char dynamic_shared_raw[]; \
    T* name = reinterpret_cast<T*>(dynamic_shared_raw)
#endif

// Raw bits of the 16-bit types; wrapped so that overloads and templates can tell them apart.
struct bf16 {
    unsigned short bits;
};
struct f16 {
    unsigned short bits;
};

// 32 bits of any struct.
#ifdef __CUDACC__
typedef unsigned word;
#else
typedef unsigned __attribute__((may_alias)) word;
#endif

// Expands M(type, suffix of the entry name) for each operand type.
#define FOR_OPERANDS(M) M(float, f32) M(bf16, bf16) M(f16, f16)

#define INFINITE __uint_as_float(0x7f800000u)

__device__ __forceinline__ float to_float(float v) { return v; }
__device__ __forceinline__ float to_float(bf16 v) { return __uint_as_float((unsigned)v.bits << 16); }

// bf16, round to nearest even; NaN stays NaN
__device__ __forceinline__ unsigned bf16_bits(float f) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned short r;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(f));
    return r;
#else
    unsigned u = __float_as_uint(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
    return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
#endif
}

#ifdef __CUDACC__
__device__ __forceinline__ float to_float(f16 v) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v.bits));
    return r;
}
__device__ __forceinline__ unsigned f16_bits(float f) {
    unsigned short r;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(f));
    return r;
}
// Asks for the 128-byte line of p, so that a later load finds it in the L2 cache.
__device__ __forceinline__ void prefetch(const void* p) { asm volatile("prefetch.L2 [%0];" ::"l"(p)); }
#else
inline float to_float(f16 v) {
    _Float16 h;
    memcpy(&h, &v.bits, 2);
    return (float)h;
}
inline unsigned f16_bits(float f) {
    _Float16 h = (_Float16)f;
    unsigned short r;
    memcpy(&r, &h, 2);
    return r;
}
inline void prefetch(const void*) {}
#endif

template <class T>
__device__ __forceinline__ T from_float(float v);
template <>
__device__ __forceinline__ float from_float<float>(float v) { return v; }
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float v) { return bf16{(unsigned short)bf16_bits(v)}; }
template <>
__device__ __forceinline__ f16 from_float<f16>(float v) { return f16{(unsigned short)f16_bits(v)}; }

// Four neighbours in one access; allowed where aligned4(p).
template <class T>
__device__ __forceinline__ bool aligned4(const T* p) {
    return ((size_t)p & (4 * sizeof(T) - 1)) == 0;
}
__device__ __forceinline__ float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
template <class T>
__device__ __forceinline__ float4 load4(const T* p) {
    uint2 v = *reinterpret_cast<const uint2*>(p);
    return float4{to_float(T{(unsigned short)v.x}), to_float(T{(unsigned short)(v.x >> 16)}),
                  to_float(T{(unsigned short)v.y}), to_float(T{(unsigned short)(v.y >> 16)})};
}
__device__ __forceinline__ void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
template <class T>
__device__ __forceinline__ void store4(T* p, float4 v) {
    uint2 r;
    r.x = from_float<T>(v.x).bits | (unsigned)from_float<T>(v.y).bits << 16;
    r.y = from_float<T>(v.z).bits | (unsigned)from_float<T>(v.w).bits << 16;
    *reinterpret_cast<uint2*>(p) = r;
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

// Sum over the block, given to every thread; red has 32 floats; blockDim.x is a multiple of 32, at most 1024.
__device__ __forceinline__ float block_sum(float v, float* red) {
    v = warp_sum(v);
    int w = threadIdx.x >> 5, l = threadIdx.x & 31, nw = blockDim.x >> 5;
    if (l == 0) red[w] = v;
    __syncthreads();
    float t = l < nw ? red[l] : 0.f;
    t = warp_sum(t);
    __syncthreads();  // red may be used again at once
    return t;
}

// Ordinals of dev.tiller.kernels.Activation.
enum ActivationKind { ACT_SILU = 0, ACT_GELU = 1, ACT_GELU_TANH = 2 };

// Written so that nothing cancels for negative x: erfc instead of 1 + erf, a quotient instead of 1 + tanh.
__device__ __forceinline__ float activate(int kind, float x) {
    if (kind == ACT_GELU) return 0.5f * x * erfcf(-0.70710678118654752f * x);
    float u = kind == ACT_SILU ? x : 1.5957691216057308f * (x + 0.044715f * x * x * x);  // 2 sqrt(2/pi) (..)
    return x / (1.f + expf(-u));
}

// Arguments of a norm as the kernels get them. kind: 0 none, 1 RMS, 2 LAYER; b may be null.
enum NormKind { NORM_NONE = 0, NORM_RMS = 1, NORM_LAYER = 2 };
struct NormArgs {
    const float* w;
    const float* b;
    float eps;
    float offset;
    int kind;
};
