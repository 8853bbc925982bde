// 16-byte accesses of the number types: a uint4 holds Vec<T>::N numbers.
#pragma once
#include "common.cuh"

// 4 bytes that may lie over other types.
#ifdef __CUDACC__
typedef unsigned Word;
#else
typedef unsigned __attribute__((may_alias)) Word;
#endif

template <class T>
struct Vec {
    static constexpr int N = 16 / sizeof(T);
};

__device__ __forceinline__ void unpack2(unsigned v, float* f, bf16) {
    f[0] = __uint_as_float(v << 16);
    f[1] = __uint_as_float(v & 0xffff0000u);
}
__device__ __forceinline__ void unpack2(unsigned v, float* f, f16) {
    f[0] = to_float(f16{(unsigned short)(v & 0xffffu)});
    f[1] = to_float(f16{(unsigned short)(v >> 16)});
}

// The Vec<T>::N numbers of a uint4 as floats.
template <class T>
__device__ __forceinline__ void unpack(uint4 v, float* f, T type) {
    unpack2(v.x, f, type);
    unpack2(v.y, f + 2, type);
    unpack2(v.z, f + 4, type);
    unpack2(v.w, f + 6, type);
}
__device__ __forceinline__ void unpack(uint4 v, float* f, float) {
    f[0] = __uint_as_float(v.x);
    f[1] = __uint_as_float(v.y);
    f[2] = __uint_as_float(v.z);
    f[3] = __uint_as_float(v.w);
}

// N numbers (a multiple of Vec<T>::N) from p, which is aligned to 16 bytes.
template <int N, class T>
__device__ __forceinline__ void load_floats(const T* p, float* f) {
#pragma unroll
    for (int i = 0; i < N; i += Vec<T>::N) unpack(*reinterpret_cast<const uint4*>(p + i), f + i, T());
}

__device__ __forceinline__ bool aligned16(const void* p) { return (reinterpret_cast<unsigned long long>(p) & 15) == 0; }
