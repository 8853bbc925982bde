// site: the residual site of a row, one launch. Grid (T). In float32, in this order:
//   delta edits of phase OUT, delta norm, delta *= deltaScale, edits of phase WRITE, x += delta, edits of phase EDIT, taps, edits of phase AFTER,
//   store x, normed = norm(x).
// Without delta the phases OUT and WRITE do not take place; a norm of kind 0 does not either. delta is scratch afterwards.
// Rows without edits take the same path: their list is empty. edits and taps may be null. If d is a multiple of 4,
// directions and probes must begin at multiples of 16 bytes.
// A row is added to sums as 64-bit fixed point, which does not depend on the order of rows; what does not fit goes to sumsBase.
//   site_{O}        the row stays in registers (16 numbers a thread: d up to 16 * block; block a multiple of 32 up to 512).
//                   The row's line of edits, the taps, x and delta are requested at once and the directions as soon as
//                   the line is there; ADD needs no barrier, ROTATE two, the other edits one, eight probes share one. As
//                   _naive where the row is wider or cannot be read 16 bytes at a time
//   site_{O}_naive  works in global memory, one sum at a time; block any multiple of 32
#include "args.cuh"
#include "row.cuh"

template <class O>
struct SiteCall {
    float* x;
    float* delta;
    const Edit* edits;
    const Taps* taps;
    NormArgs deltaNorm;
    float deltaScale;
    NormArgs norm;
    O* normed;
    int d;
};

#define SUM_ONE 16777216.f    // 2^24: one in fixed point
#define SUM_LIMIT 1073741824.f  // 2^30

// Adds v to element at of the accumulators.
__device__ __forceinline__ void add_to_sum(const Taps& taps, long long at, float v) {
    if (fabsf(v) < SUM_LIMIT) {
        atomicAdd(reinterpret_cast<unsigned long long*>(taps.sums) + at,
                  (unsigned long long)__float2ll_rn(v * SUM_ONE));
    } else {
        atomicAdd(taps.sumsBase + at, v);  // NaN comes here too
    }
}

__device__ __forceinline__ float clamped(float p, float low, float high) { return fminf(fmaxf(p, low), high) - p; }

// What the edits of one phase of a row know of each other; the same in all threads.
struct EditState {
    bool counts = true;  // what WHEN found
    float kept = 0.f;    // what KEEP_NORM found
};

// Every thread sees what a PROBE of this call wrote: a barrier lies between.
__device__ __forceinline__ bool gate_open(const float* gate, float low, float high) {
    __syncthreads();
    const float p = *gate;
    return low < p && p < high;
}

// What turning adds along both directions; nothing where the plane's part of the row, or where it would stop, has no length.
struct Turn {
    float first, second;
};

__device__ __forceinline__ Turn turned(float p, float q, float cosine, float sine, float share) {
    const float r = sqrtf(p * p + q * q);
    const float toP = (1.f - share) * p + share * r * cosine, toQ = (1.f - share) * q + share * r * sine;
    const float length = sqrtf(toP * toP + toQ * toQ);
    const float scale = r / length;
    return length > 0.f ? Turn{toP * scale - p, toQ * scale - q} : Turn{0.f, 0.f};
}

// What RESTORE_NORM multiplies a row of that squared length with.
__device__ __forceinline__ float restoring(float kept, float squares) {
    const float now = sqrtf(squares);
    return now > 0.f && now != kept ? kept / now : 1.f;
}

// ---- plain form ----

__device__ __forceinline__ float dot_plain(const float* a, const float* b, int d, float* red) {
    float s = 0.f;
#pragma unroll 1
    for (int i = threadIdx.x; i < d; i += blockDim.x) s += a[i] * b[i];
    return block_sum(s, red);
}

__device__ __forceinline__ void add_plain(float* v, float factor, const float* direction, int d) {
    if (factor == 0.f) return;
#pragma unroll 1
    for (int i = threadIdx.x; i < d; i += blockDim.x) v[i] += factor * direction[i];
}

__device__ __forceinline__ void edit_plain(float* v, const Edit& e, int d, float* red, EditState& state) {
    const int kind = e.code & 15;
    if (kind == EDIT_ALWAYS) {
        state.counts = true;
    } else if (kind == EDIT_WHEN) {
        state.counts = gate_open(static_cast<const float*>(e.second), e.low, e.high);
    } else if (!state.counts) {
        return;
    } else if (kind == EDIT_KEEP_NORM) {
        state.kept = sqrtf(dot_plain(v, v, d, red));
    } else if (kind == EDIT_RESTORE_NORM) {
        const float factor = restoring(state.kept, dot_plain(v, v, d, red));
#pragma unroll 1
        for (int i = threadIdx.x; factor != 1.f && i < d; i += blockDim.x) v[i] *= factor;
    } else if (kind == EDIT_PROBE) {
        const float p = dot_plain(v, e.direction, d, red);
        if (threadIdx.x == 0) *static_cast<float*>(e.second) = p;
    } else if (kind == EDIT_ROTATE) {
        const float* second = static_cast<const float*>(e.second);
        const float p = dot_plain(v, e.direction, d, red), q = dot_plain(v, second, d, red);
        const Turn turn = turned(p, q, e.low, e.high, e.coefficient);
        add_plain(v, turn.first, e.direction, d);
        add_plain(v, turn.second, second, d);
    } else {
        float factor = e.coefficient;
        if (kind != EDIT_ADD) {
            const float p = dot_plain(v, e.direction, d, red);
            factor *= kind == EDIT_ABLATE ? -p : clamped(p, e.low, e.high);
        }
        add_plain(v, factor, e.direction, d);
    }
}

// The entries of one phase; the first entry is that of the row, and what belongs to other phases is passed over.
__device__ __forceinline__ void edits_plain(float* v, const Edit* e, int phase, int d, float* red) {
    EditState state;
    for (;; e++) {
        while (e->code == EDIT_JUMP) e = reinterpret_cast<const Edit*>(e->direction);
        if (e->code == EDIT_END) return;
        if (e->code >> 4 == phase) edit_plain(v, *e, d, red, state);
    }
}

__device__ __forceinline__ void taps_plain(const float* v, const Taps& taps, int d, float* red) {
    const int t = blockIdx.x;
    if (taps.rows)
#pragma unroll 1
        for (int i = threadIdx.x; i < d; i += blockDim.x) taps.rows[(long long)t * d + i] = v[i];
#pragma unroll 1
    for (int p = 0; taps.probes && p < taps.probeCount; p++) {
        const float s = dot_plain(v, taps.probes + (long long)p * d, d, red);
        if (threadIdx.x == 0) taps.projections[(long long)t * taps.probeCount + p] = s;
    }
#pragma unroll 1
    for (int k = taps.sums ? taps.sumStart[t] : 0; taps.sums && k < taps.sumStart[t + 1]; k++)
#pragma unroll 1
        for (int i = threadIdx.x; i < d; i += blockDim.x) add_to_sum(taps, (long long)taps.sumSlot[k] * d + i, v[i]);
}

template <class O>
__device__ __forceinline__ void site_naive(const SiteCall<O>& a) {
    __shared__ float red[32];
    const long long at = (long long)blockIdx.x * a.d;
    float* x = a.x + at;
    const Edit* list = a.edits ? a.edits + (long long)blockIdx.x * EDITS_INLINE : nullptr;
    float* delta = a.delta ? a.delta + at : nullptr;
#pragma unroll 1
    for (int phase = delta ? PHASE_OUT : PHASE_EDIT; phase <= PHASE_AFTER; phase++) {
        float* row = phase <= PHASE_WRITE ? delta : x;
        if (list) edits_plain(row, list, phase, a.d, red);
        if (phase == PHASE_OUT && a.deltaNorm.kind) normalise_plain(row, a.deltaNorm, row, a.d, red);
#pragma unroll 1
        for (int i = threadIdx.x; phase == PHASE_OUT && a.deltaScale != 1.f && i < a.d; i += blockDim.x)
            row[i] *= a.deltaScale;
#pragma unroll 1
        for (int i = threadIdx.x; phase == PHASE_WRITE && i < a.d; i += blockDim.x) x[i] += row[i];
        if (phase == PHASE_EDIT && a.taps) taps_plain(x, *a.taps, a.d, red);
    }
    if (a.norm.kind) normalise_plain(x, a.norm, a.normed + at, a.d, red);
}

// ---- tuned form ----

// The 32-bit words of a struct, one in each lane: one access for the warp, and no register for what is not looked at.
struct Words {
    word own;

    __device__ __forceinline__ word at(int i) const { return __shfl_sync(0xffffffffu, own, i); }
    __device__ __forceinline__ float number(int i) const { return __uint_as_float(at(i)); }
    template <class P>
    __device__ __forceinline__ P* pointer(int i) const {
        return reinterpret_cast<P*>((unsigned long long)at(i + 1) << 32 | at(i));
    }
};

// Walks through the edits of a row: four of them in the line that the warp holds, those behind a jump one at a time.
struct EditList {
    Words line;
    int i;            // first word of the current entry
    const Edit* far;  // the current entry once behind a jump
    int code;

    __device__ __forceinline__ EditList(word own) : line{own}, i(0), far(nullptr) { take(); }

    __device__ __forceinline__ const float* direction() const { return line.pointer<const float>(i); }
    __device__ __forceinline__ float coefficient() const { return line.number(i + 2); }
    __device__ __forceinline__ float low() const { return line.number(i + 3); }
    __device__ __forceinline__ float high() const { return line.number(i + 4); }
    __device__ __forceinline__ float* second() const { return line.pointer<float>(i + 6); }

    __device__ __forceinline__ void take() {
        code = line.at(i + 5);
        while (code == EDIT_JUMP) fetch(reinterpret_cast<const Edit*>(direction()));
    }

    __device__ __forceinline__ void fetch(const Edit* e) {
        const int lane = threadIdx.x & 31;
        far = e;
        i = 0;
        if (lane < 8) line.own = reinterpret_cast<const word*>(e)[lane];
        code = line.at(5);
    }

    __device__ __forceinline__ void next() {
        if (far) {
            fetch(far + 1);
            while (code == EDIT_JUMP) fetch(reinterpret_cast<const Edit*>(direction()));
        } else if (i += 8, i < EDITS_INLINE * 8) {
            take();
        } else {
            code = EDIT_END;
        }
    }

    // Requests what the entries after the first will read.
    template <class Slice>
    __device__ __forceinline__ void request(int d) const {
#pragma unroll 1
        for (int k = 1; k < EDITS_INLINE; k++) {
            const int code = line.at(k * 8 + 5);
            if (code == EDIT_END) return;
            const float* p = line.pointer<const float>(k * 8);
            if (code == EDIT_JUMP) {
                prefetch(p);
                return;
            }
            if (p) Slice::request(p, d);
            if ((code & 15) == EDIT_ROTATE) Slice::request(line.pointer<const float>(k * 8 + 6), d);
        }
    }
};

template <class Slice>
__device__ __forceinline__ void rotate_slice(Slice& v, const Slice& u, const EditList& e, int d, Reducer& reduce) {
    Slice w;
    w.load(e.second(), d);
    const float p = reduce.sum(v.dot(u)), q = reduce.sum(v.dot(w));
    const Turn turn = turned(p, q, e.low(), e.high(), e.coefficient());
    if (turn.first != 0.f) v.add_scaled(turn.first, u);
    if (turn.second != 0.f) v.add_scaled(turn.second, w);
}

// What reads no direction.
template <class Slice>
__device__ __forceinline__ void edit_state(Slice& v, const EditList& e, int d, Reducer& reduce, EditState& state) {
    const int kind = e.code & 15;
    if (kind == EDIT_ALWAYS) {
        state.counts = true;
    } else if (kind == EDIT_WHEN) {
        state.counts = gate_open(e.second(), e.low(), e.high());
    } else if (state.counts) {
        const float squares = reduce.sum(v.squares(0.f, d));
        if (kind == EDIT_KEEP_NORM) {
            state.kept = sqrtf(squares);
        } else {
            const float factor = restoring(state.kept, squares);
            if (factor != 1.f) v.scale(factor);
        }
    }
}

template <class Slice>
__device__ __forceinline__ void edit_slice(Slice& v, const EditList& e, int d, Reducer& reduce, EditState& state) {
    const int kind = e.code & 15;
    const float* direction = e.direction();
    if (!direction) {
        edit_state(v, e, d, reduce, state);
        return;
    }
    if (!state.counts) return;
    Slice u;
    u.load(direction, d);
    if (kind == EDIT_ROTATE) {
        rotate_slice(v, u, e, d, reduce);
        return;
    }
    float factor = e.coefficient();
    if (kind != EDIT_ADD) {
        const float p = reduce.sum(v.dot(u));
        if (kind == EDIT_PROBE) {
            float* gate = e.second();
            if (threadIdx.x == 0) *gate = p;
            return;
        }
        factor *= kind == EDIT_ABLATE ? -p : clamped(p, e.low(), e.high());
    }
    if (factor != 0.f) v.add_scaled(factor, u);
}

// The entries of a phase; those of earlier phases, which did not take place, are passed over.
template <class Slice>
__device__ __forceinline__ void edit_phase(Slice& v, EditList& list, int phase, int d, Reducer& reduce) {
    EditState state;
#pragma unroll 1
    for (; list.code != EDIT_END && list.code >> 4 <= phase; list.next())
        if (list.code >> 4 == phase) edit_slice(v, list, d, reduce, state);
}

// v goes through memory (the row of x, written again later), so that the loop over its numbers stays small.
template <int N>
__device__ __forceinline__ void sum_slice(const RowSlice<N>& v, float* x, const Taps& taps, int d) {
    const int end = taps.sumStart[blockIdx.x + 1];
    int k = taps.sumStart[blockIdx.x];
    if (k == end) return;
    v.store(x, d);
    for (; k < end; k++) {
        const long long to = (long long)taps.sumSlot[k] * d;
#pragma unroll 1
        for (int i = threadIdx.x * 4; i < d; i += blockDim.x * 4) {
            const float4 q = load4(x + i);
            add_to_sum(taps, to + i, q.x);
            add_to_sum(taps, to + i + 1, q.y);
            add_to_sum(taps, to + i + 2, q.z);
            add_to_sum(taps, to + i + 3, q.w);
        }
    }
}

template <class Slice>
__device__ __forceinline__ void project_slice(const Slice& v, const Taps& taps, int d, Reducer& reduce) {
    float* out = taps.projections + (long long)blockIdx.x * taps.probeCount;
    for (int p = 0; p < taps.probeCount; p += REDUCER_VALUES) {
        float s[REDUCER_VALUES];
#pragma unroll
        for (int q = 0; q < REDUCER_VALUES; q++) {
            s[q] = 0.f;
            if (p + q < taps.probeCount) {
                Slice u;
                u.load(taps.probes + (long long)(p + q) * d, d);
                s[q] = v.dot(u);
            }
        }
        const float total = reduce.sums(s);
        if (threadIdx.x < REDUCER_VALUES && p + (int)threadIdx.x < taps.probeCount) out[p + threadIdx.x] = total;
    }
}

template <class Slice>
__device__ __forceinline__ void tap_slice(const Slice& v, float* x, const Words& words, int d, Reducer& reduce) {
    Taps taps;
    taps.rows = words.pointer<float>(0);
    taps.probes = words.pointer<const float>(2);
    taps.projections = words.pointer<float>(4);
    taps.sums = words.pointer<long long>(6);
    taps.sumsBase = words.pointer<float>(8);
    taps.sumStart = words.pointer<const int>(10);
    taps.sumSlot = words.pointer<const int>(12);
    taps.probeCount = words.at(14);
    if (taps.rows) v.store(taps.rows + (long long)blockIdx.x * d, d);
    if (taps.probes) project_slice(v, taps, d, reduce);
    if (taps.sums) sum_slice(v, x, taps, d);
}

template <class O>
struct SiteRow {
    SiteCall<O> a;
    Reducer reducer;

    template <int N>
    __device__ __forceinline__ void run() const {
        typedef RowSlice<N> Slice;
        const int d = a.d, lane = threadIdx.x & 31;
        const long long at = (long long)blockIdx.x * d;
        Reducer reduce = reducer;
        // all that depends on nothing is requested first
        const word line = a.edits ? reinterpret_cast<const word*>(a.edits + (long long)blockIdx.x * EDITS_INLINE)[lane]
                                  : (word)EDIT_END;
        const Words taps{a.taps && lane < 16 ? reinterpret_cast<const word*>(a.taps)[lane] : 0};
        Slice v;  // what the phase works on: delta, then the residual
        v.load((a.delta ? a.delta : a.x) + at, d);
        if (a.norm.kind) Slice::request(a.norm.w, d);
        EditList list(line);
        Slice x;
        if (a.delta) {
            x.load(a.x + at, d);
            if (list.code != EDIT_END) list.template request<Slice>(d);
        }
        // a loop, so that the code for edits is there once
#pragma unroll 1
        for (int phase = a.delta ? PHASE_OUT : PHASE_EDIT; phase <= PHASE_AFTER; phase++) {
            edit_phase(v, list, phase, d, reduce);
            if (phase == PHASE_OUT && a.deltaNorm.kind) normalise(v, a.deltaNorm, d, reduce);
            if (phase == PHASE_OUT && a.deltaScale != 1.f) v.scale(a.deltaScale);
            if (phase == PHASE_WRITE) v.add(x);
            if (phase == PHASE_EDIT && __any_sync(0xffffffffu, taps.own != 0)) tap_slice(v, a.x + at, taps, d, reduce);
        }
        v.store(a.x + at, d);
        if (a.norm.kind) {
            normalise(v, a.norm, d, reduce);
            v.store(a.normed + at, d);
        }
    }
};

template <class O>
__device__ __forceinline__ void site(const SiteCall<O>& a) {
    __shared__ float area[2][REDUCER_WARPS * REDUCER_VALUES];
    const bool vec = a.d % 4 == 0 && aligned4(a.x) && aligned4(a.delta) && aligned4(a.normed) && aligned4(a.norm.w)
                     && aligned4(a.norm.b) && aligned4(a.deltaNorm.w) && aligned4(a.deltaNorm.b);
    const SiteRow<O> row{a, Reducer{area, 0}};
    if (!with_slices(a.d, vec, row)) site_naive(a);
}

#define SITE_PARAMETERS(O)                                                                                     \
    float *x, float *delta, const Edit *edits, const Taps *taps, const float *dw, const float *db, float deps, \
        float doffset, int dkind, float dscale, const float *w, const float *b, float eps, float offset,       \
        int kind, O *normed, int d
#define SITE_CALL(O)                                                                                             \
    SiteCall<O> {                                                                                                \
        x, delta, edits, taps, NormArgs{dw, db, deps, doffset, dkind}, dscale, NormArgs{w, b, eps, offset, kind}, \
            normed, d                                                                                            \
    }
#define SITE(O, suffix)                                                                                          \
    extern "C" __global__ void __launch_bounds__(512, 1) site_##suffix(SITE_PARAMETERS(O)) { site(SITE_CALL(O)); } \
    extern "C" __global__ void site_##suffix##_naive(SITE_PARAMETERS(O)) { site_naive(SITE_CALL(O)); }
FOR_OPERANDS(SITE)
