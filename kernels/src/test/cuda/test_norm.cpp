#include "harness.h"
#include "norm.cu"
using namespace test;

template <class O>
using Norm = void (*)(const float*, int, const float*, const float*, float, float, int, O*, int);

template <class O>
static void norms(const char* name, Norm<O> kernel, int limit) {
    for (int d : {1, 7, 60, 64, 111, 576, 2048, 4096, 8192})
        for (int kind : {NORM_RMS, NORM_LAYER}) {
            const int rows = d > 1000 ? 2 : 3, columns = d + pick({0, 4, 5});
            const int block = std::min(limit, d > 2048 ? pick({256, 512}) : pick({32, 96, 256}));
            const bool bias = coin();
            const float eps = 1e-5f, offset = pick({0.f, 1.f}), shift = kind == NORM_LAYER ? 3.f : 0.f;
            at = text("%s d=%d kind=%d block=%d", name, d, kind, block);
            std::vector<float> x = normals((size_t)rows * columns, 2), w = normals(d), b = normals(d);
            for (float& v : x) v += shift;
            Array<float> dx(x), dw(w, below(4) == 0), db(b);
            Array<O> out((size_t)rows * d);
            launch(name, kernel, rows, block, 0, dx.p(), columns, dw.p(), bias ? db.p() : nullptr, eps, offset, kind, out.p(), d);
            std::vector<double> expected;
            for (int r = 0; r < rows; r++) {
                double mean = 0, square = 0;
                for (int i = 0; i < d && kind == NORM_LAYER; i++) mean += x[r * columns + i] / (double)d;
                for (int i = 0; i < d; i++) square += std::pow(x[r * columns + i] - mean, 2);
                for (int i = 0; i < d; i++)
                    expected.push_back((x[r * columns + i] - mean) / std::sqrt(square / d + eps) * ((double)w[i] + offset)
                                       + (bias ? b[i] : 0));
            }
            close("out", out.read(), expected, unit(O()) * 1.01 + 4e-7, 4e-6);
            same("x", dx.read(), x);
        }
}

CASE(norm) {
    norms("norm_f32", norm_f32, 512);
    norms("norm_f32_naive", norm_f32_naive, 1024);
    norms("norm_bf16", norm_bf16, 512);
    norms("norm_bf16_naive", norm_bf16_naive, 1024);
    norms("norm_f16", norm_f16, 512);
    norms("norm_f16_naive", norm_f16_naive, 1024);
}

CASE(norm_in_place) {
    for (auto kernel : {norm_f32, norm_f32_naive}) {
        const int d = 132;
        std::vector<float> x = normals(2 * d), w = normals(d);
        Array<float> a(x), b(x), out(2 * d), dw(w);
        LAUNCH(kernel, 2, 64, 0, a.p(), d, dw.p(), (const float*)nullptr, 1e-5f, 0.f, (int)NORM_LAYER, out.p(), d);
        LAUNCH(kernel, 2, 64, 0, b.p(), d, dw.p(), (const float*)nullptr, 1e-5f, 0.f, (int)NORM_LAYER, b.p(), d);
        same("in place", b.read(), out.read());
    }
}
