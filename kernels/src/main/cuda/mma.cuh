// Tensor cores (mma.sync m16n8k16, sm_80 on) and what feeds them. The fragments of a 16 x 16 matrix A lie in 4 registers of two
// numbers per lane, of a 16 x 8 matrix B in 2, of a 16 x 8 result in 4 floats: rows lane / 4 and lane / 4 + 8, columns lane % 4 * 2 (+ 1).
#pragma once
#include "common.cuh"
#ifndef __CUDACC__
#include "simt/mma_cpu.h"
#else

// A place in shared memory; adding bytes to it folds into the instructions that use it, unlike with a pointer.
typedef unsigned SharedAddress;
__device__ __forceinline__ SharedAddress shared_address(const void* p) {
    unsigned r;
    asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(r) : "l"(p));
    return r;
}

// 16 bytes from global to shared memory without passing through registers; zeros if not real.
__device__ __forceinline__ void copy16_async(SharedAddress shared, const void* global, bool real) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(real ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until all but the last PENDING groups of this thread have arrived.
template <int PENDING>
__device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Four 8 x 8 matrices from shared memory: lane i points to row i % 8 of matrix i / 8; register j holds matrix j.
__device__ __forceinline__ void load_matrices(unsigned* r, SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(unsigned* r, SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}

// d [16, 8] += a [16, 16] b [16, 8]
#define MULTIPLY_TILE(T, NAME)                                                                                          \
    __device__ __forceinline__ void multiply_tile(float* d, const unsigned* a, const unsigned* b, T) {                  \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." NAME "." NAME ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, " \
                     "{%8, %9}, {%0, %1, %2, %3};"                                                                      \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                   \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                               \
    }                                                                                                                   \
    __device__ __forceinline__ unsigned pack2(float low, float high, T) {                                               \
        unsigned r;                                                                                                     \
        asm("cvt.rn." NAME "x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));                                       \
        return r;                                                                                                       \
    }
MULTIPLY_TILE(bf16, "bf16")
MULTIPLY_TILE(f16, "f16")

__device__ __forceinline__ float exp2_fast(float x) {
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
}
#endif
