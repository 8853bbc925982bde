#include "harness.h"
#include "rope.cu"
using namespace test;

typedef std::vector<float> Floats;

// Rows of several sequences, their pages scattered over three slabs, and what the cache should hold afterwards.
template <class O>
struct Cache {
    static constexpr int SHIFT = 1, SLABS = 3, STRIDE = 3;
    const int blocks = 2, block = 1, kvHeads, headDim, rows = 5;
    const long long pageElements;
    const std::vector<int> position{0, 1, 15, 16, 37}, sequence{1, 1, 0, 0, 0}, pages{4, 1, 3, 0, 5, 5};
    const std::vector<int> angle{20, 1, 37, 2, 0};  // not the positions: a table may begin anew for long texts
    std::vector<O> expected[SLABS];
    std::vector<std::unique_ptr<Array<O>>> slabs;
    std::unique_ptr<Array<void*>> slabTable;
    Array<int> dPosition{position}, dSequence{sequence}, dPages{pages}, dAngle{angle};
    std::unique_ptr<Array<RowArgs>> rowArgs;

    Cache(int kvHeads, int headDim)
        : kvHeads(kvHeads), headDim(headDim), pageElements(2LL * blocks * kvHeads * KV_PAGE * headDim) {
        std::vector<void*> p;
        for (auto& e : expected) {
            slabs.emplace_back(new Array<O>((size_t)pageElements << SHIFT));
            e = slabs.back()->read();
            p.push_back(slabs.back()->p());
        }
        slabTable.reset(new Array<void*>(p));
        rowArgs.reset(new Array<RowArgs>(
            std::vector<RowArgs>{RowArgs{nullptr, dPosition.p(), dSequence.p(), dPages.p(), STRIDE, rows, dAngle.p()}}));
    }

    // Row t stores v as element i of that head's key (0) or value (1).
    O& at(int t, int head, int which, int i) {
        const int p = position[t], page = pages[sequence[t] * STRIDE + p / 16];
        return expected[page / 2][page % 2 * pageElements + ((block * kvHeads + head) * 2 + which) * 16 * headDim
                                  + p % 16 * headDim + i];
    }

    void compare() {
        for (int s = 0; s < SLABS; s++) {
            std::vector<double> e;
            for (O v : expected[s]) e.push_back(value(v));
            close("slab", slabs[s]->read(), e, unit(O()) * 2.01 + 1e-6, 1e-6);
        }
    }
};

struct Angles {
    Floats cos, sin;
    Angles(int positions, int half) {
        for (int i = 0; i < positions * half; i++) {
            const double a = i / half * std::pow(10000.0, -(double)(i % half) / half);
            cos.push_back((float)std::cos(a));
            sin.push_back((float)std::sin(a));
        }
    }
};

// The norm of some heads together.
static std::vector<double> normed(const float* x, int d, const float* norm, int kind, float eps, float offset) {
    double square = 0, mean = 0;
    for (int i = 0; i < d && kind == NORM_LAYER; i++) mean += x[i] / (double)d;
    for (int i = 0; i < d; i++) square += (x[i] - mean) * (x[i] - mean);
    std::vector<double> y(d);
    for (int i = 0; i < d; i++) y[i] = norm ? (x[i] - mean) / std::sqrt(square / d + eps) * ((double)norm[i] + offset) : x[i];
    return y;
}

// A head, rotated.
static std::vector<double> rotated(std::vector<double> y, const Angles& a, int p, int half) {
    for (int i = 0; i < half; i++) {
        const double u = y[i], v = y[i + half], c = a.cos[p * half + i], s = a.sin[p * half + i];
        y[i] = u * c - v * s;
        y[i + half] = v * c + u * s;
    }
    return y;
}

template <class O>
using RopeKv = void (*)(float*, int, const RowArgs*, const float*, const float*, int, int, int, int, int, int, int,
                        const float*, const float*, float, float, int, int, void* const*, int, long long, int);

template <class O>
static void rope_kvs(const char* name, RopeKv<O> kernel, bool naive) {
    for (int k : {2, 6, 16, 60, 64, 128, 256})
        for (int heads : {1, 6}) {
            const int g = heads == 1 ? 1 : pick({1, 3}), half = pick({k / 2, k / 2, (k + 3) / 4, 0});
            const int norms = below(3);  // 0 none, 1 both, 2 of q alone
            const int kind = k < 6 ? NORM_RMS : pick({NORM_RMS, NORM_LAYER});  // two numbers less their mean are rounding errors
            const bool own = coin();  // each head has weights of its own
            const float eps = kind == NORM_LAYER ? 1e-3f : 1e-6f, offset = pick({0.f, 1.f});
            const int q = 3, kc = q + heads * k, vc = kc + g * k, columns = vc + g * k + 2;
            at = text("%s headDim=%d half=%d heads=%d/%d norms=%d kind=%d own=%d", name, k, half, heads, g, norms, kind, own);
            Cache<O> cache(g, k);
            Angles angles(38, half);
            const int T = cache.rows;
            Floats x = normals((size_t)T * columns), qn = normals(heads * k), kn = normals(g * k);
            Array<float> dx(x), cos(angles.cos), sin(angles.sin), dq(qn), dk(kn);
            const int block = pick({32, 128}), tasks = heads + 2 * g, warps = block / 32;
            launch(name, kernel, naive ? dim3(T) : dim3(T, (tasks + warps - 1) / warps), block, 0, dx.p(), columns,
                   cache.rowArgs->p(), cos.p(), sin.p(), half, heads, g, k, q, kc, vc, norms ? dq.p() : nullptr,
                   norms == 1 ? dk.p() : nullptr, eps, offset, kind, own ? k : 0, cache.slabTable->p(), Cache<O>::SHIFT, cache.pageElements,
                   cache.block);
            std::vector<double> expected(x.begin(), x.end());
            for (int t = 0; t < T; t++) {
                const float* row = x.data() + t * columns;
                const int p = cache.angle[t];
                for (int h = 0; h < heads; h++) {
                    const float* w = norms ? qn.data() + (own ? h * k : 0) : nullptr;
                    const auto y = rotated(normed(row + q + h * k, k, w, kind, eps, offset), angles, p, half);
                    std::copy(y.begin(), y.end(), expected.begin() + t * columns + q + h * k);
                }
                for (int h = 0; h < g; h++) {
                    const float* w = norms == 1 ? kn.data() + (own ? h * k : 0) : nullptr;
                    const auto y = rotated(normed(row + kc + h * k, k, w, kind, eps, offset), angles, p, half);
                    if (naive) std::copy(y.begin(), y.end(), expected.begin() + t * columns + kc + h * k);
                    for (int i = 0; i < k; i++) {
                        cache.at(t, h, 0, i) = rounded<O>((float)y[i]);
                        cache.at(t, h, 1, i) = rounded<O>(row[vc + h * k + i]);
                    }
                }
            }
            close("row", dx.read(), expected, 1e-6, 2e-6);
            cache.compare();
        }
}

CASE(rope_kv_fused) {
    rope_kvs<float>("rope_kv_f32", rope_kv_f32, false);
    rope_kvs<bf16>("rope_kv_bf16", rope_kv_bf16, false);
    rope_kvs<f16>("rope_kv_f16", rope_kv_f16, false);
}

CASE(rope_kv_plain) {
    rope_kvs<float>("rope_kv_f32_naive", rope_kv_f32_naive, true);
    rope_kvs<bf16>("rope_kv_bf16_naive", rope_kv_bf16_naive, true);
    rope_kvs<f16>("rope_kv_f16_naive", rope_kv_f16_naive, true);
}

CASE(rope_alone) {
    for (int k : {2, 6, 60, 128}) {
        const int heads = 3, column = 5, columns = column + heads * k + 1, half = coin() ? k / 2 : (k + 3) / 4, T = 4;
        at = text("rope headDim=%d half=%d", k, half);
        const std::vector<int> position{0, 3, 20, 7};
        Angles angles(21, half);
        Floats x = normals(T * columns);
        Array<float> dx(x), cos(angles.cos), sin(angles.sin);
        Array<int> dp(position);
        LAUNCH(rope, T, pick({32, 256}), 0, dx.p(), columns, dp.p(), cos.p(), sin.p(), half, column, heads, k);
        std::vector<double> expected(x.begin(), x.end());
        for (int t = 0; t < T; t++)
            for (int h = 0; h < heads; h++) {
                const int from = t * columns + column + h * k;
                const auto y = rotated(normed(x.data() + from, k, nullptr, 0, 0, 0), angles, position[t], half);
                std::copy(y.begin(), y.end(), expected.begin() + from);
            }
        close("row", dx.read(), expected, 1e-6, 1e-6);
    }
}

template <class O>
static void appends(const char* name,
                    void (*kernel)(const float*, int, const RowArgs*, int, int, int, int, void* const*, int, long long, int)) {
    for (int k : {1, 7, 64, 128}) {
        const int g = 3, kc = 2, vc = kc + g * k + 1, columns = vc + g * k;
        at = text("%s headDim=%d", name, k);
        Cache<O> cache(g, k);
        Floats x = normals((size_t)cache.rows * columns);
        Array<float> dx(x);
        launch(name, kernel, cache.rows, pick({32, 256}), 0, dx.p(), columns, cache.rowArgs->p(), kc, vc, g, k,
               cache.slabTable->p(), Cache<O>::SHIFT, cache.pageElements, cache.block);
        for (int t = 0; t < cache.rows; t++)
            for (int i = 0; i < g * k; i++) {
                cache.at(t, i / k, 0, i % k) = rounded<O>(x[t * columns + kc + i]);
                cache.at(t, i / k, 1, i % k) = rounded<O>(x[t * columns + vc + i]);
            }
        for (int s = 0; s < 3; s++) same("slab", cache.slabs[s]->read(), cache.expected[s]);
        same("row", dx.read(), x);
    }
}

CASE(append_kv) {
    appends<float>("append_kv_f32", append_kv_f32);
    appends<bf16>("append_kv_bf16", append_kv_bf16);
    appends<f16>("append_kv_f16", append_kv_f16);
}

CASE(norm_of_all_heads) {
    for (int width : {1, 7, 64, 600})
        for (int kind : {NORM_RMS, NORM_LAYER}) {
            const int q = 3, keys = (width + 1) / 2, kc = q + width + 2, columns = kc + keys + 1, T = 3;
            const float eps = 1e-3f, offset = pick({0.f, 1.f});
            at = text("norm_qk width=%d kind=%d", width, kind);
            Floats x = normals(T * columns), qn = normals(width), kn = normals(keys);
            Array<float> dx(x), dq(qn), dk(kn);
            LAUNCH(norm_qk, dim3(T, 2), pick({32, 256}), 0, dx.p(), columns, q, width, dq.p(), kc, keys, dk.p(), eps, offset, kind);
            std::vector<double> expected(x.begin(), x.end());
            for (int t = 0; t < T; t++) {
                const float* row = x.data() + t * columns;
                const auto a = normed(row + q, width, qn.data(), kind, eps, offset);
                const auto b = normed(row + kc, keys, kn.data(), kind, eps, offset);
                std::copy(a.begin(), a.end(), expected.begin() + t * columns + q);
                std::copy(b.begin(), b.end(), expected.begin() + t * columns + kc);
            }
            close("row", dx.read(), expected, 4e-6, 4e-6);
        }
}
