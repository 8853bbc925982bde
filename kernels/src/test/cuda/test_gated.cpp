#include "harness.h"
#include "gated.cu"
using namespace test;

static double exact(int activation, double x) {
    if (activation == ACT_SILU) return x / (1 + std::exp(-x));
    if (activation == ACT_GELU) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));  // 1 + tanh(u) without cancellation
}

template <class O>
static void gates(const char* name, void (*kernel)(const float*, int, int, O*)) {
    for (int f : {1, 7, 60, 64, 111, 576, 4096})
        for (int activation : {ACT_SILU, ACT_GELU, ACT_GELU_TANH}) {
            const int rows = 3, skip = below(4) == 0;
            at = text("%s f=%d activation=%d", name, f, activation);
            std::vector<float> x = normals((size_t)rows * 2 * f, 3);
            for (int i = 0; i < f && i < 60; i++) x[i] = pick({-200.f, -88.f, -12.f, -1e-3f, 0.f, 1e-3f, 12.f, 90.f, 200.f});
            Array<float> dx(x, skip);
            Array<O> out((size_t)rows * f);
            launch(name, kernel, dim3(f > 1000 ? pick({1, 3, 4}) : pick({1, 2}), rows), pick({32, 256}), 0, dx.p(), f,
                   activation, out.p());
            std::vector<double> expected;
            for (int r = 0; r < rows; r++)
                for (int i = 0; i < f; i++) expected.push_back(exact(activation, x[r * 2 * f + i]) * x[r * 2 * f + f + i]);
            // erfc and exp of a rounded argument: its error grows with the square of x, where the result is near zero
            close("out", out.read(), expected, unit(O()) + 2e-6, unit(O()) > 1e-4 ? 1e-6 : 2e-8);
        }
}

CASE(gated) {
    gates("gated_f32", gated_f32);
    gates("gated_f32_naive", gated_f32_naive);
    gates("gated_bf16", gated_bf16);
    gates("gated_bf16_naive", gated_bf16_naive);
    gates("gated_f16", gated_f16);
    gates("gated_f16_naive", gated_f16_naive);
}

template <class O>
static void activations(const char* name, void (*kernel)(const float*, long long, int, O*)) {
    for (int n : {1, 7, 300, 1025})
        for (int activation : {ACT_SILU, ACT_GELU, ACT_GELU_TANH}) {
            at = text("%s n=%d activation=%d", name, n, activation);
            std::vector<float> x = normals(n, 3);
            Array<float> dx(x);
            Array<O> out(n);
            launch(name, kernel, dim3(pick({1, 3})), pick({32, 256}), 0, dx.p(), (long long)n, activation, out.p());
            std::vector<double> expected;
            for (float v : x) expected.push_back(exact(activation, v));
            close("out", out.read(), expected, unit(O()) + 2e-6, unit(O()) > 1e-4 ? 1e-6 : 2e-8);
        }
}

CASE(activation_alone) {
    activations("activation_f32", activation_f32);
    activations("activation_bf16", activation_bf16);
    activations("activation_f16", activation_f16);
}

CASE(scales_and_caps) {
    for (int n : {1, 7, 300, 1025})
        for (float cap : {0.f, 5.f, 30.f}) {
            const float scale = pick({1.f, 0.125f, -3.f});
            at = text("scale_cap n=%d scale=%f cap=%f", n, scale, cap);
            std::vector<float> x = normals(n, 20);
            Array<float> dx(x);
            LAUNCH(scale_cap, dim3(pick({1, 3})), pick({32, 256}), 0, dx.p(), (long long)n, scale, cap);
            std::vector<double> expected;
            for (float v : x) expected.push_back(cap > 0 ? cap * std::tanh((double)scale * v / cap) : (double)scale * v);
            close("x", dx.read(), expected, 1e-6, 1e-7);
        }
}
