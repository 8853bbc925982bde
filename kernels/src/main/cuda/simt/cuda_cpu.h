// Tiny SIMT emulation: one fiber per CUDA thread of a block, so __syncthreads and warp shuffles behave as on a GPU.
// A fiber is a stack and what a call preserves (fiber.h). One thread of the process at a time may launch kernels.
// With SIMT_SEED set, the order of ready threads is shuffled and random warps are starved for up to 64 rounds, so that
// warps drift apart as far as the barriers let them: a missing barrier then shows as a wrong result. Dynamic shared memory
// is NaN before a block starts. Blocks run one after the other.
#ifndef TILLER_SIMT_CUDA_CPU_H  // by name: copies of this file may be reached over two paths
#define TILLER_SIMT_CUDA_CPU_H
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>
#include "fiber.h"

#define __global__
#define __device__
#define __host__
// Forcing a kernel's helpers into each of its copies would make compiling several times slower and running no faster.
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __shared__ static
#define __constant__ static
#define __align__(n) __attribute__((aligned(n)))
#define DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(simt::dyn())

// Vector types may look at any memory, as kernels use them to.
#define SIMT_VECTOR(bytes) struct __attribute__((aligned(bytes), may_alias))
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
SIMT_VECTOR(16) uint4 { unsigned x, y, z, w; };
SIMT_VECTOR(16) int4 { int x, y, z, w; };
SIMT_VECTOR(16) float4 { float x, y, z, w; };
SIMT_VECTOR(8) uint2 { unsigned x, y; };
SIMT_VECTOR(8) int2 { int x, y; };
SIMT_VECTOR(8) float2 { float x, y; };

namespace simt {
enum State { READY, BLOCK, WARP, DONE };

// Two sets of slots take turns, so that a fast lane can begin the next shuffle while a slow one still reads.
struct Warp {
    uint64_t slot[2][32];
    unsigned present[2], expect[2];
    int alive, arrived;
    int lag;  // rounds for which the warp is not run
};

struct Fiber {
    Context context;
    bool started;
    State st;
    dim3 tid;
    unsigned lin;  // index of the thread in its block
    Warp* warp;
    unsigned parity;  // slot set of its next shuffle
    char* stack;
};

constexpr size_t STACK = 64 << 10;
inline Fiber* cur;
inline Context scheduler;
inline dim3 bid, bdim, gdim;
inline std::vector<Fiber> fibers;
inline std::vector<Warp> warps;
inline std::vector<uint4> smem;
inline std::function<void()>* body;
inline uint64_t rng;
inline const char* kname = "?";

inline void* dyn() { return smem.data(); }

[[noreturn]] inline void die(const char* m) {
    fprintf(stderr, "simt: %s in kernel %s, block (%u,%u,%u) thread %u\n", m, kname, bid.x, bid.y, bid.z,
            cur ? cur->lin : 0);
    abort();
}

inline void yield() { swap(cur->context, scheduler); }

inline void entry() {
    (*body)();
    cur->st = DONE;
    cur->warp->alive--;
    yield();
}

inline void block_barrier() {
    cur->st = BLOCK;
    yield();
}

inline void warp_barrier() {
    cur->st = WARP;
    cur->warp->arrived++;
    yield();
}

// Every lane of the mask puts its value down; when all have, returns those of the warp and who wrote.
inline const uint64_t* publish(unsigned mask, uint64_t raw, unsigned& present) {
    Warp& w = *cur->warp;
    const unsigned lane = cur->lin & 31, p = cur->parity;
    cur->parity ^= 1;
    if (!(mask >> lane & 1)) die("lane not in its own shuffle mask");
    if (w.present[p] == 0) w.expect[p] = mask;
    else if (w.expect[p] != mask) die("lanes use different shuffle masks");
    w.slot[p][lane] = raw;
    w.present[p] |= 1u << lane;
    warp_barrier();
    if (w.present[p] && (w.expect[p] & ~w.present[p])) die("shuffle mask names a lane that did not take part");
    present = w.present[p];
    return w.slot[p];
}

template <class T>
T exchange(unsigned mask, T v, int src) {
    static_assert(sizeof(T) <= 8, "shuffles move at most 8 bytes");
    uint64_t raw = 0;
    memcpy(&raw, &v, sizeof v);
    unsigned present;
    const uint64_t* slots = publish(mask, raw, present);
    if (src < 0 || src > 31 || !(present >> src & 1)) return v;
    T r;
    memcpy(&r, &slots[src], sizeof r);
    return r;
}

inline unsigned ballot(unsigned mask, bool vote) {
    unsigned present, r = 0;
    const uint64_t* slots = publish(mask, vote, present);
    for (int i = 0; i < 32; i++)
        if ((present >> i & 1) && slots[i]) r |= 1u << i;
    return r;
}

inline uint64_t random() {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

// Runs a fiber until it waits or ends.
inline void resume(Fiber& f) {
    cur = &f;
    if (!f.started) {
        f.started = true;
        prepare(f.context, f.stack, STACK, entry);
    }
    swap(scheduler, f.context);
}

// Releases the warp of f as soon as all its live lanes have arrived.
inline void release_warp(const Fiber& f) {
    Warp& w = *f.warp;
    if (w.arrived == 0 || w.arrived != w.alive) return;
    w.arrived = 0;
    const size_t first = f.lin & ~31u;
    for (size_t k = first; k < first + 32 && k < fibers.size(); k++)
        if (fibers[k].st == WARP) fibers[k].st = READY;
    w.present[f.parity] = 0;  // the other slot set is free again
}

// Called when no fiber can run: lets those at the barrier go on, or returns true when all have ended.
inline bool release_block() {
    size_t block = 0, warp = 0, done = 0;
    for (Fiber& f : fibers) {
        block += f.st == BLOCK;
        warp += f.st == WARP;
        done += f.st == DONE;
    }
    if (done == fibers.size()) return true;
    if (warp) die("some lanes of a warp wait in a shuffle, others in __syncthreads (divergence)");
    if (block + done != fibers.size()) die("deadlock");
    for (Fiber& f : fibers)
        if (f.st == BLOCK) f.st = READY;  // exited threads count as arrived, as on sm_70+
    return false;
}

inline void shuffle(std::vector<unsigned>& order) {
    for (size_t i = order.size() - 1; i > 0; i--) std::swap(order[i], order[random() % (i + 1)]);
    if (random() % 4 == 0) warps[(rng >> 20) % warps.size()].lag = 1 + (rng >> 40) % 64;
}

inline void run_block(bool seeded) {
    for (Warp& w : warps) w.present[0] = w.present[1] = w.alive = w.arrived = w.lag = 0;
    for (Fiber& f : fibers) {
        f.started = false;
        f.st = READY;
        f.parity = 0;
        f.warp->alive++;
    }
    static std::vector<unsigned> order;
    order.resize(fibers.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    for (;;) {
        if (seeded) shuffle(order);
        bool ran = false, held = false;
        for (unsigned i : order) {
            Fiber& f = fibers[i];
            if (f.st != READY) continue;
            if (f.warp->lag > 0) {
                held = true;
                continue;
            }
            ran = true;
            resume(f);
            release_warp(*cur);
        }
        for (Warp& w : warps)
            if (w.lag > 0) w.lag--;
        if (!ran && !held && release_block()) return;
    }
}

inline void launch(dim3 g, dim3 b, size_t shared, std::function<void()> fn, const char* name = "?") {
    const size_t n = (size_t)b.x * b.y * b.z;
    if (n == 0 || n > 1024 || shared > 227 << 10) {
        fprintf(stderr, "simt: block of %zu threads or %zu bytes of shared memory refused for kernel %s\n", n, shared, name);
        abort();
    }
    static std::vector<std::unique_ptr<char[]>> stacks;
    while (stacks.size() < n) stacks.emplace_back(new char[STACK]);
    kname = name;
    bdim = b;
    gdim = g;
    body = &fn;
    warps.assign((n + 31) / 32, Warp());
    fibers.assign(n, Fiber());
    for (size_t i = 0; i < n; i++) {
        Fiber& f = fibers[i];
        f.lin = i;
        f.tid = dim3(i % b.x, i / b.x % b.y, i / ((size_t)b.x * b.y));
        f.warp = &warps[i / 32];
        f.stack = stacks[i].get();
    }
    const char* seed = getenv("SIMT_SEED");
    rng = 88172645463325252ull ^ (seed ? strtoull(seed, nullptr, 10) * 0x9E3779B97F4A7C15ull : 0);
    for (unsigned z = 0; z < g.z; z++)
        for (unsigned y = 0; y < g.y; y++)
            for (unsigned x = 0; x < g.x; x++) {
                bid = dim3(x, y, z);
                smem.resize(shared / 16 + 1);
                memset((void*)smem.data(), 0xff, smem.size() * 16);
                run_block(seed != nullptr);
            }
    cur = nullptr;
}

// Launch from a driver-API parameter array.
template <class... A, size_t... I>
void call_params(void (*f)(A...), void** p, std::index_sequence<I...>) {
    f(*reinterpret_cast<A*>(p[I])...);
}
template <class... A>
void call_params(void (*f)(A...), void** p) {
    call_params(f, p, std::index_sequence_for<A...>());
}
}  // namespace simt

#define threadIdx (simt::cur->tid)
#define blockIdx (simt::bid)
#define blockDim (simt::bdim)
#define gridDim (simt::gdim)
#define warpSize 32

inline void __syncthreads() { simt::block_barrier(); }
inline void __syncwarp(unsigned m = ~0u) { simt::exchange<int>(m, 0, 0); }
inline void __threadfence() {}
template <class T>
T __shfl_xor_sync(unsigned m, T v, int o, int = 32) {
    return simt::exchange(m, v, (int)(simt::cur->lin & 31) ^ o);
}
template <class T>
T __shfl_down_sync(unsigned m, T v, unsigned o, int = 32) {
    return simt::exchange(m, v, (int)(simt::cur->lin & 31) + (int)o);
}
template <class T>
T __shfl_up_sync(unsigned m, T v, unsigned o, int = 32) {
    return simt::exchange(m, v, (int)(simt::cur->lin & 31) - (int)o);
}
template <class T>
T __shfl_sync(unsigned m, T v, int s, int = 32) {
    return simt::exchange(m, v, s & 31);
}
inline unsigned __ballot_sync(unsigned m, int vote) { return simt::ballot(m, vote); }
inline int __any_sync(unsigned m, int vote) { return simt::ballot(m, vote) != 0; }
inline int __all_sync(unsigned m, int vote) { return simt::ballot(m, !vote) == 0; }

inline float __uint_as_float(unsigned u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline unsigned __float_as_uint(float f) {
    unsigned u;
    memcpy(&u, &f, 4);
    return u;
}
inline float __int_as_float(int u) { return __uint_as_float((unsigned)u); }
inline int __float_as_int(float f) { return (int)__float_as_uint(f); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline long long __float2ll_rn(float x) { return std::llrint(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }

template <class T>
T __ldg(const T* p) {
    return *p;
}
template <class T>
T __ldcs(const T* p) {
    return *p;
}
template <class T>
T __ldcg(const T* p) {
    return *p;
}

// Only one fiber runs at a time, so plain accesses are atomic. V may be a literal of another type, as in CUDA's overloads.
template <class T, class V>
T atomicAdd(T* p, V v) {
    T o = *p;
    *p = o + (T)v;
    return o;
}
template <class T, class V>
T atomicMax(T* p, V v) {
    T o = *p;
    *p = std::max(o, (T)v);
    return o;
}
template <class T, class V>
T atomicMin(T* p, V v) {
    T o = *p;
    *p = std::min(o, (T)v);
    return o;
}
template <class T, class V>
T atomicExch(T* p, V v) {
    T o = *p;
    *p = (T)v;
    return o;
}
template <class T, class V>
T atomicInc(T* p, V limit) {
    T o = *p;
    *p = o >= (T)limit ? 0 : o + 1;
    return o;
}
using std::max;
using std::min;
#endif
