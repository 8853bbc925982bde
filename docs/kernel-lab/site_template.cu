// A residual site to start from: correct, short, not tuned. Copy it, change it, and see what happens:
//   tiller lab check site --kernel my_site.cu
//   tiller lab bench site --kernel my_site.cu
//   tiller lab run site=my_site.cu --prompt "Once upon a time" --max-tokens 20
//
// One block works on one row of the residual [T, d]; grid (T), any block that is a multiple of 32. In this order:
//   delta edits of phase OUT, delta norm, delta *= dscale, edits of phase WRITE, x += delta, edits of phase EDIT, taps,
//   edits of phase AFTER, normed = norm(x)
// The structs Edit and Taps are in args.cuh, conversions and block_sum in common.cuh.
#include "args.cuh"
#include "common.cuh"

// The dot product of two rows, known to every thread.
__device__ float dot(const float* a, const float* b, int d, float* red) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < d; i += blockDim.x) sum += a[i] * b[i];
    return block_sum(sum, red);
}

__device__ void add(float* row, float factor, const float* v, int d) {
    if (factor != 0.f)
        for (int i = threadIdx.x; i < d; i += blockDim.x) row[i] += factor * v[i];
}

// ROTATE: the part of the row in the plane of both directions is turned to an angle; low and high are its cosine and sine.
__device__ void rotate(float* row, const Edit& e, int d, float* red) {
    const float* second = static_cast<const float*>(e.second);
    const float p = dot(row, e.direction, d, red), q = dot(row, second, d, red), r = sqrtf(p * p + q * q);
    const float c = e.coefficient, toP = (1.f - c) * p + c * r * e.low, toQ = (1.f - c) * q + c * r * e.high;
    const float length = sqrtf(toP * toP + toQ * toQ);
    if (length == 0.f) return;
    add(row, toP / length * r - p, e.direction, d);
    add(row, toQ / length * r - q, second, d);
}

// Applies the edits of one phase to a row. The list begins in the row's line of four and may go on behind a jump.
__device__ void edit(float* row, const Edit* e, int phase, int d, float* red) {
    bool counts = true;
    float kept = 0.f;
    for (; e; e++) {
        while (e->code == EDIT_JUMP) e = reinterpret_cast<const Edit*>(e->direction);
        if (e->code == EDIT_END) return;
        if (e->code >> 4 != phase) continue;
        const int kind = e->code & 15;
        float* gate = static_cast<float*>(e->second);
        if (kind == EDIT_WHEN) {
            __syncthreads();  // a probe may have written the gate just now
            counts = e->low < *gate && *gate < e->high;
        } else if (kind == EDIT_ALWAYS) {
            counts = true;
        } else if (!counts) {
            continue;
        } else if (kind == EDIT_ROTATE) {
            rotate(row, *e, d, red);
        } else if (kind == EDIT_KEEP_NORM) {
            kept = sqrtf(dot(row, row, d, red));
        } else if (kind == EDIT_RESTORE_NORM) {
            const float now = sqrtf(dot(row, row, d, red));
            for (int i = threadIdx.x; now > 0.f && now != kept && i < d; i += blockDim.x) row[i] *= kept / now;
        } else if (kind == EDIT_PROBE) {
            const float p = dot(row, e->direction, d, red);
            if (threadIdx.x == 0) *gate = p;
        } else if (kind == EDIT_ADD) {
            add(row, e->coefficient, e->direction, d);  // row += c v
        } else {
            // ABLATE: row -= c (row.u) u; CLAMP: row += c (bounded(row.u) - row.u) u
            const float p = dot(row, e->direction, d, red);
            add(row, e->coefficient * (kind == EDIT_ABLATE ? -p : fminf(fmaxf(p, e->low), e->high) - p), e->direction, d);
        }
    }
}

// kind 1: RMS norm, 2: layer norm
template <class O>
__device__ void norm(const float* row, const float* w, const float* b, float eps, float offset, int kind, O* out, int d,
                     float* red) {
    float mean = 0.f;
    if (kind == 2) {
        for (int i = threadIdx.x; i < d; i += blockDim.x) mean += row[i];
        mean = block_sum(mean, red) / d;
    }
    float square = 0.f;
    for (int i = threadIdx.x; i < d; i += blockDim.x) square += (row[i] - mean) * (row[i] - mean);
    const float inverse = 1.f / sqrtf(block_sum(square, red) / d + eps);
    for (int i = threadIdx.x; i < d; i += blockDim.x)
        out[i] = from_float<O>((row[i] - mean) * inverse * (w[i] + offset) + (b ? b[i] : 0.f));
}

__device__ void tap(const float* row, const Taps& taps, int d, float* red) {
    const int t = blockIdx.x;
    for (int i = threadIdx.x; taps.rows && i < d; i += blockDim.x) taps.rows[(long long)t * d + i] = row[i];
    for (int p = 0; taps.probes && p < taps.probeCount; p++) {
        const float projection = dot(row, taps.probes + (long long)p * d, d, red);
        if (threadIdx.x == 0) taps.projections[(long long)t * taps.probeCount + p] = projection;
    }
    // sums over rows are 64-bit fixed point, so that they do not depend on the order of rows
    for (int k = taps.sums ? taps.sumStart[t] : 0; taps.sums && k < taps.sumStart[t + 1]; k++)
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const long long at = (long long)taps.sumSlot[k] * d + i;
            if (fabsf(row[i]) < 1073741824.f)
                atomicAdd(reinterpret_cast<unsigned long long*>(taps.sums) + at,
                          (unsigned long long)__float2ll_rn(row[i] * 16777216.f));
            else
                atomicAdd(taps.sumsBase + at, row[i]);
        }
}

template <class O>
__device__ void site(float* x, float* delta, const Edit* edits, const Taps* taps, const float* dw, const float* db,
                     float deps, float doffset, int dkind, float dscale, const float* w, const float* b, float eps,
                     float offset, int kind, O* normed, int d) {
    __shared__ float red[32];
    const long long at = (long long)blockIdx.x * d;
    const Edit* list = edits ? edits + blockIdx.x * EDITS_INLINE : nullptr;
    float* row = x + at;
    if (delta) {
        float* added = delta + at;
        edit(added, list, PHASE_OUT, d, red);
        if (dkind) norm(added, dw, db, deps, doffset, dkind, added, d, red);
        for (int i = threadIdx.x; dscale != 1.f && i < d; i += blockDim.x) added[i] *= dscale;
        edit(added, list, PHASE_WRITE, d, red);
        for (int i = threadIdx.x; i < d; i += blockDim.x) row[i] += added[i];
    }
    edit(row, list, PHASE_EDIT, d, red);
    if (taps) tap(row, *taps, d, red);
    edit(row, list, PHASE_AFTER, d, red);
    if (kind) norm(row, w, b, eps, offset, kind, normed + at, d, red);
}

// One entry for each type that the norm's output (the input of the next matmul) may have.
#define SITE(O, name)                                                                                                \
    extern "C" __global__ void name(float* x, float* delta, const Edit* edits, const Taps* taps, const float* dw,     \
                                    const float* db, float deps, float doffset, int dkind, float dscale,              \
                                    const float* w, const float* b, float eps, float offset, int kind, O* normed,     \
                                    int d) {                                                                          \
        site(x, delta, edits, taps, dw, db, deps, doffset, dkind, dscale, w, b, eps, offset, kind, normed, d);       \
    }
SITE(float, site_f32)
SITE(bf16, site_bf16)
SITE(f16, site_f16)
