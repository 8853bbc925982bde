// Tensor-core products, matrix loads and asynchronous copies in the SIMT emulation: lanes publish where their fragments lie,
// wait for the warp, read each other's, and wait again before anyone goes on.
#ifndef TILLER_SIMT_MMA_CPU_H  // by name: copies of this file may be reached over two paths
#define TILLER_SIMT_MMA_CPU_H
#include "cuda_cpu.h"

namespace simt {
inline const void* published[32][32];  // [warp][lane]

// fn(pointers of the 32 lanes) while all of them stand still
template <class Fn>
void with_warp(const void* mine, Fn fn) {
    const unsigned warp = cur->lin / 32;
    published[warp][cur->lin % 32] = mine;
    __syncwarp();
    fn(published[warp]);
    __syncwarp();
}

// A copy happens at the wait that promises it, not before: a missing wait shows as old numbers.
struct Copy {
    void* to;
    const void* from;  // null: zeros
};
struct Copies {
    std::vector<std::vector<Copy>> groups;
    std::vector<Copy> open;
    void finish(size_t pending) {
        while (groups.size() > pending) {
            for (const Copy& c : groups.front()) c.from ? (void)memcpy(c.to, c.from, 16) : (void)memset(c.to, 0, 16);
            groups.erase(groups.begin());
        }
    }
};
inline Copies copies[1024];  // [thread of the block]; a kernel waits for all it started
}  // namespace simt

typedef char* SharedAddress;
inline SharedAddress shared_address(const void* p) { return (char*)p; }
inline void copy16_async(SharedAddress shared, const void* global, bool real) {
    if ((uintptr_t)shared % 16 || (real && (uintptr_t)global % 16)) simt::die("asynchronous copy is not aligned to 16 bytes");
    simt::copies[simt::cur->lin].open.push_back({shared, real ? global : nullptr});
}
inline void copy_commit() {
    simt::Copies& c = simt::copies[simt::cur->lin];
    c.groups.push_back(std::move(c.open));
    c.open.clear();
}
template <int PENDING>
void copy_wait() { simt::copies[simt::cur->lin].finish(PENDING); }

// Matrix i of four 8 x 8 has its rows where lanes 8 i .. 8 i + 7 point; a lane gets two neighbours of row lane / 4 (or of that column).
inline void load_matrices(unsigned* r, SharedAddress row, bool transposed) {
    if ((uintptr_t)row % 16) simt::die("matrix row is not aligned to 16 bytes");
    simt::with_warp(row, [&](const void** rows) {
        const unsigned lane = simt::cur->lin % 32, a = lane / 4, b = lane % 4 * 2;
        for (unsigned i = 0; i < 4; i++) {
            auto at = [&](unsigned y, unsigned x) { return (unsigned)((const unsigned short*)rows[8 * i + y])[x]; };
            r[i] = transposed ? at(b, a) | at(b + 1, a) << 16 : at(a, b) | at(a, b + 1) << 16;
        }
    });
}
inline void load_matrices(unsigned* r, SharedAddress row) { load_matrices(r, row, false); }
inline void load_matrices_transposed(unsigned* r, SharedAddress row) { load_matrices(r, row, true); }

// d [16, 8] += a [16, 16] b [16, 8]
template <class T>
void multiply_tile(float* d, const unsigned* a, const unsigned* b, T) {
    struct Fragments {
        const unsigned *a, *b;
    } mine{a, b};
    simt::with_warp(&mine, [&](const void** all) {
        const int lane = simt::cur->lin % 32;
        auto half = [](unsigned v, int odd) { return to_float(T{(unsigned short)(odd ? v >> 16 : v)}); };
        for (int e = 0; e < 4; e++) {
            const int row = lane / 4 + (e / 2) * 8, column = lane % 4 * 2 + e % 2;
            float sum = d[e];
            for (int k = 0; k < 16; k++) {
                const Fragments& fa = *(const Fragments*)all[row % 8 * 4 + k % 8 / 2];
                const Fragments& fb = *(const Fragments*)all[column * 4 + k % 8 / 2];
                sum += half(fa.a[row / 8 + k / 8 * 2], k & 1) * half(fb.b[k / 8], k & 1);
            }
            d[e] = sum;
        }
    });
}
template <class T>
unsigned pack2(float low, float high, T) { return from_float<T>(low).bits | (unsigned)from_float<T>(high).bits << 16; }
inline float exp2_fast(float x) { return std::exp2(x); }
#endif
