// Device structs that the host fills before a step, at addresses that never change, so that captured graphs need no change.
// Mirrored by offset in dev.tiller.kernels.cuda.
#pragma once

// Where the rows of the step stand: position p of sequence s lives in page pages[s * pageStride + p / 16].
struct RowArgs {
    const int* ids;
    const int* position;
    const int* sequence;
    const int* pages;
    int pageStride;
    int rows;
    const int* angle;  // row of the table of angles
};

// Keys and values: pages of 16 positions in slabs of 2^slabShift pages. In a page the numbers of one block and one
// key/value head lie together, first 16 keys, then 16 values.
#define KV_PAGE 16
struct KvArgs {
    void* const* slabs;
    int slabShift;
    long long pageElements;
    int block;
    int kvHeads;
    int headDim;
};

// Where the key (which = 0) or value (1) of that head at position p begins.
template <class O>
__device__ __forceinline__ O* kv_slot(const KvArgs& kv, int page, int head, int which, int p) {
    O* at = static_cast<O*>(kv.slabs[page >> kv.slabShift]);
    at += (page & ((1 << kv.slabShift) - 1)) * kv.pageElements;
    return at + ((((long long)kv.block * kv.kvHeads + head) * 2 + which) * KV_PAGE + p % KV_PAGE) * kv.headDim;
}

// In the order of dev.tiller.kernels.EditTable.Kind, where the formulas stand.
enum EditKind {
    EDIT_ADD = 0,
    EDIT_ABLATE = 1,
    EDIT_CLAMP = 2,
    EDIT_ROTATE = 3,
    EDIT_KEEP_NORM = 4,
    EDIT_RESTORE_NORM = 5,
    EDIT_PROBE = 6,
    EDIT_WHEN = 7,
    EDIT_ALWAYS = 8
};
enum EditPhase { PHASE_OUT = 0, PHASE_WRITE = 1, PHASE_EDIT = 2, PHASE_AFTER = 3 };
enum EditCode { EDIT_END = -1, EDIT_JUMP = -2 };

// One edit of one row. code = kind | phase << 4, or END, or JUMP (the list goes on at (const Edit*) direction).
// The table of a site call is Edit[T][EDITS_INLINE]; the list of row t begins at its first entry, sorted by phase.
struct Edit {
    const float* direction;  // null for kinds without one
    float coefficient;
    float low;
    float high;
    int code;
    void* second;  // ROTATE: the second direction; PROBE, WHEN: the gate of the row, a float
};
#define EDITS_INLINE 4

// What to read at a site, after phase EDIT; null pointers: not wanted.
struct Taps {
    float* rows;            // [T, d]
    const float* probes;    // [P, d]
    float* projections;     // [T, P]
    long long* sums;        // [A, d] fixed point, 2^-24
    float* sumsBase;        // [A, d] what fixed point cannot hold
    const int* sumStart;    // [T+1]
    const int* sumSlot;     // [entries]
    int probeCount;
    int pad;
};

struct SampleArgs {
    double u;
    double topP;
    double minP;
    float temperature;
    int topK;
};
