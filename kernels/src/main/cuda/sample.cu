// sample: out[t] = a token drawn from logits [T, columns] by args[t], as engine's Sampler does without repetition penalty:
// logits / temperature, top-k (what ties with the k-th stays), top-p (from the least likely up, the tail whose probability is
// at most 1 - p goes; the most likely token stays), min-p, then the first token in order of ids at which the cumulative weight
// exceeds u times the whole. Temperature 0: the first of the largest. -1 if the largest logit is not finite (NaN in front of
// numbers included).
// Weights exp(x - max) are 64-bit fixed point (2^-44), so that sums do not depend on the order of threads.
//   sample        a block a row; the thresholds of top-k and top-p come from histograms of 8 bits of the number at a time.
//                 Grid (T), block a multiple of 32 (1024)
//   sample_naive  one thread; thresholds one candidate at a time (columns^2). Grid (T), block 1
#include "args.cuh"
#include "common.cuh"

typedef unsigned long long Fixed;
#define FIXED_ONE 17592186044416.0  // 2^44

// What survives so far, as a test on a single token; cheap to evaluate again in each pass.
struct Sampling {
    const float* logits;
    int n;
    float scale;      // temperature
    float origin;     // subtracted before the division
    float max;        // largest scaled logit
    unsigned topK;    // smallest ordered bits of a scaled logit that top-k keeps
    unsigned topP;    // smallest bits of a weight that top-p keeps
    int topPFrom;     // of those with exactly these bits only from this id on
    float minP;       // smallest weight that min-p keeps

    __device__ __forceinline__ float scaled(int i) const {
        return scale == 1.f ? logits[i] : (logits[i] - origin) / scale;
    }
    static __device__ __forceinline__ unsigned ordered(float v) {
        const unsigned u = __float_as_uint(v + 0.f);
        return u & 0x80000000u ? ~u : u | 0x80000000u;
    }
    // exp(x - max), 0 for what top-k drops
    __device__ __forceinline__ float weight(int i) const {
        const float v = scaled(i);
        return !(v == v) || ordered(v) < topK ? 0.f : expf(fmaxf(v - max, -88.f));
    }
    static __device__ __forceinline__ Fixed fixed(float w) { return (Fixed)((double)w * FIXED_ONE); }
    // the weight of what is left of it after all three
    __device__ __forceinline__ Fixed left(int i) const {
        const float w = weight(i);
        const unsigned bits = __float_as_uint(w);
        return bits < topP || (bits == topP && i < topPFrom) || w < minP ? 0 : fixed(w);
    }
};

// Quantities of a token over which sums are taken.
struct TopKCount {
    const Sampling& s;
    __device__ __forceinline__ unsigned key(int i) const { return Sampling::ordered(s.scaled(i)); }
    __device__ __forceinline__ Fixed amount(int i) const { return s.scaled(i) == s.scaled(i); }
};
struct TopPWeight {
    const Sampling& s;
    __device__ __forceinline__ unsigned key(int i) const { return __float_as_uint(s.weight(i)); }
    __device__ __forceinline__ Fixed amount(int i) const { return Sampling::fixed(s.weight(i)); }
};
struct Ties {
    const Sampling& s;
    __device__ __forceinline__ Fixed amount(int i) const { return __float_as_uint(s.weight(i)) == s.topP && s.topP != 0; }
};
struct Left {
    const Sampling& s;
    __device__ __forceinline__ Fixed amount(int i) const { return s.left(i); }
};

// ---- one block ----

struct SampleShared {
    Fixed histogram[256];
    Fixed warps[33];
    Fixed sum;
    unsigned key;
    int index;
};

__device__ __forceinline__ Fixed warp_total(Fixed v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

// A warp looks at tokens [first, last): each warp has a range of its own, in order.
__device__ __forceinline__ void warp_range(int n, int& first, int& last) {
    const int warps = blockDim.x >> 5, size = (n + warps - 1) / warps;
    first = min(n, (int)(threadIdx.x >> 5) * size);
    last = min(n, first + size);
}

// Sum of q over all tokens.
template <class Q>
__device__ __forceinline__ Fixed total(const Q& q, int n, SampleShared& shared) {
    Fixed sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += q.amount(i);
    sum = warp_total(sum);
    if (threadIdx.x == 0) shared.sum = 0;
    __syncthreads();
    if ((threadIdx.x & 31) == 0) atomicAdd(&shared.sum, sum);
    __syncthreads();
    sum = shared.sum;
    __syncthreads();
    return sum;
}

// The key at which the cumulative amount, by rising keys, first exceeds target (the largest key if it never does); below
// becomes the amount of all smaller keys.
template <class Q>
__device__ __forceinline__ unsigned select(const Q& q, int n, Fixed target, Fixed& below, SampleShared& shared) {
    unsigned prefix = 0;
    below = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        for (int b = threadIdx.x; b < 256; b += blockDim.x) shared.histogram[b] = 0;
        __syncthreads();
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            const unsigned key = q.key(i);
            const Fixed amount = q.amount(i);
            if (amount && (unsigned long long)key >> (shift + 8) == prefix) atomicAdd(&shared.histogram[key >> shift & 255], amount);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            Fixed sum = below, before = below;
            unsigned digit = 0;
            for (unsigned b = 0; b < 256; b++) {
                if (shared.histogram[b] == 0) continue;
                digit = b;
                before = sum;
                sum += shared.histogram[b];
                if (sum > target) break;
            }
            shared.key = prefix << 8 | digit;
            shared.sum = before;
        }
        __syncthreads();
        prefix = shared.key;
        below = shared.sum;
    }
    __syncthreads();
    return prefix;
}

// The first id at which the cumulative amount, by rising ids, exceeds target; -1 if it never does.
template <class Q>
__device__ __forceinline__ int locate(const Q& q, int n, Fixed target, SampleShared& shared) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    int first, last;
    warp_range(n, first, last);
    Fixed own = 0;
    for (int i = first + lane; i < last; i += 32) own += q.amount(i);
    own = warp_total(own);
    if (lane == 0) shared.warps[warp] = own;
    if (threadIdx.x == 0) shared.index = -1;
    __syncthreads();
    Fixed sum = 0;
    for (int w = 0; w < warp; w++) sum += shared.warps[w];
    if (sum <= target && sum + own > target) {  // true for one warp at most
        for (int base = first; base < last; base += 32) {
            Fixed scan = base + lane < last ? q.amount(base + lane) : 0;
#pragma unroll
            for (int o = 1; o < 32; o <<= 1) {
                const Fixed v = __shfl_up_sync(0xffffffffu, scan, o);
                if (lane >= o) scan += v;
            }
            const unsigned over = __ballot_sync(0xffffffffu, sum + scan > target);
            if (over) {
                if (lane == 0) shared.index = base + __ffs(over) - 1;
                break;
            }
            sum += __shfl_sync(0xffffffffu, scan, 31);
        }
    }
    __syncthreads();
    const int found = shared.index;
    __syncthreads();
    return found;
}

// First index of the largest logit, as a loop from index 0 finds it: NaN there stays.
__device__ __forceinline__ int largest(const float* x, int n, SampleShared& shared) {
    Fixed best = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        if (x[i] == x[i]) best = max(best, (Fixed)Sampling::ordered(x[i]) << 32 | (0xffffffffu - (unsigned)i));
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) best = max(best, __shfl_xor_sync(0xffffffffu, best, o));
    if (threadIdx.x == 0) shared.sum = 0;
    __syncthreads();
    if ((threadIdx.x & 31) == 0) atomicMax(&shared.sum, best);
    __syncthreads();
    best = shared.sum;
    __syncthreads();
    return x[0] == x[0] ? (int)(0xffffffffu - (unsigned)best) : 0;
}

__device__ __forceinline__ Sampling sampling(const float* x, int n, const SampleArgs& a, float best) {
    Sampling s{x, n, a.temperature, a.temperature < 1e-3f ? best : 0.f, 0.f, 0, 0, 0, 0.f};
    s.max = s.scale == 1.f ? best : (best - s.origin) / s.scale;
    return s;
}

// The part of the weight that top-p may drop at most.
__device__ __forceinline__ Fixed tail_of(Fixed all, double topP) { return (Fixed)((1 - topP) * (double)all); }

// How many of the ties at the threshold still fit into the tail.
__device__ __forceinline__ Fixed ties_in_tail(const Sampling& s, Fixed tail, Fixed below) {
    const Fixed one = Sampling::fixed(__uint_as_float(s.topP));
    return one && tail > below ? (tail - below) / one : 0;
}

extern "C" __global__ void __launch_bounds__(1024) sample(const float* logits, int columns, const SampleArgs* args, int* out) {
    __shared__ SampleShared shared;
    const float* x = logits + (long long)blockIdx.x * columns;
    const SampleArgs a = args[blockIdx.x];
    const int best = largest(x, columns, shared);
    if (a.temperature == 0.f || !(fabsf(x[best]) < INFINITE)) {
        if (threadIdx.x == 0) out[blockIdx.x] = fabsf(x[best]) < INFINITE ? best : -1;
        return;
    }
    Sampling s = sampling(x, columns, a, x[best]);
    Fixed below;
    if (a.topK > 0 && a.topK < columns) {
        const TopKCount q{s};
        const Fixed numbers = total(q, columns, shared);
        if (numbers > (Fixed)a.topK) s.topK = select(q, columns, numbers - a.topK, below, shared);
    }
    if (a.topP < 1) {
        const TopPWeight q{s};
        const Fixed tail = tail_of(total(q, columns, shared), a.topP);
        s.topP = select(q, columns, tail, below, shared);
        const Fixed drop = ties_in_tail(s, tail, below);
        if (drop > 0) s.topPFrom = max(0, locate(Ties{s}, columns, drop, shared));
    }
    s.minP = (float)a.minP;
    const Left q{s};
    const Fixed all = total(q, columns, shared);
    const int drawn = locate(q, columns, (Fixed)(a.u * (double)all), shared);
    if (threadIdx.x == 0) out[blockIdx.x] = drawn < 0 ? best : drawn;
}

// ---- one thread ----

// Ordered bits of the k-th largest number.
__device__ __forceinline__ unsigned kth_naive(const TopKCount& q, int n, int k) {
    for (int i = 0; i < n; i++) {
        int above = 0, equal = 0;
        for (int j = 0; j < n; j++) {
            above += q.amount(j) && q.key(j) > q.key(i);
            equal += q.amount(j) && q.key(j) == q.key(i);
        }
        if (q.amount(i) && above < k && above + equal >= k) return q.key(i);
    }
    return 0;
}

// Drops tokens by rising weight, then id, while what is dropped stays within the tail.
__device__ __forceinline__ void drop_tail_naive(Sampling& s, Fixed tail) {
    const TopPWeight q{s};
    Fixed dropped = 0;
    for (;;) {
        int next = -1;  // the least token that is left
        for (int i = 0; i < s.n; i++) {
            const bool gone = q.key(i) < s.topP || (q.key(i) == s.topP && i < s.topPFrom);
            if (!gone && q.amount(i) && (next < 0 || q.key(i) < q.key(next))) next = i;
        }
        if (next < 0) return;
        dropped += q.amount(next);
        s.topP = q.key(next);
        s.topPFrom = dropped > tail ? next : next + 1;
        if (dropped > tail) return;
    }
}

extern "C" __global__ void sample_naive(const float* logits, int columns, const SampleArgs* args, int* out) {
    const float* x = logits + (long long)blockIdx.x * columns;
    const SampleArgs a = args[blockIdx.x];
    int best = 0, drawn = -1;
    for (int i = 1; i < columns; i++)
        if (x[i] > x[best]) best = i;
    out[blockIdx.x] = fabsf(x[best]) < INFINITE ? best : -1;
    if (a.temperature == 0.f || out[blockIdx.x] < 0) return;
    Sampling s = sampling(x, columns, a, x[best]);
    if (a.topK > 0 && a.topK < columns) s.topK = kth_naive(TopKCount{s}, columns, a.topK);
    Fixed all = 0, sum = 0;
    for (int i = 0; i < columns; i++) all += TopPWeight{s}.amount(i);
    if (a.topP < 1) drop_tail_naive(s, tail_of(all, a.topP));
    s.minP = (float)a.minP;
    all = 0;
    for (int i = 0; i < columns; i++) all += s.left(i);
    for (int i = 0; i < columns && drawn < 0; i++) {
        sum += s.left(i);
        if (sum > (Fixed)(a.u * (double)all)) drawn = i;
    }
    if (drawn >= 0) out[blockIdx.x] = drawn;
}
