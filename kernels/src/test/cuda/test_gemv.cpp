// Matrix times few rows against sums in double precision, all weight formats, shapes with tails in every direction.
#include "harness.h"
#include "gemv.cu"
using namespace test;

// Weights as the kernels get them and what they are worth.
struct Weights {
    std::vector<unsigned char> bytes;
    std::vector<double> value;  // [n, k]
};

template <class O>
Weights weights(int n, int k) {
    const std::vector<O> w = rounded_all<O>(normals((size_t)n * k));
    Weights r;
    r.bytes.resize(w.size() * sizeof(O));
    memcpy(r.bytes.data(), w.data(), r.bytes.size());
    for (O v : w) r.value.push_back(test::value(v));
    return r;
}

static Weights weights_q8(int n, int k) {
    Weights r;
    std::vector<f16> scales = rounded_all<f16>(normals((size_t)n * k / 32, 0.02f));
    for (size_t i = 0; i < (size_t)n * k; i++) {
        const int q = i % 7 == 0 ? pick({-128, 127, 0}) : below(256) - 128;
        r.bytes.push_back((unsigned char)q);
        r.value.push_back(q * test::value(scales[i / 32]));
    }
    const unsigned char* s = (const unsigned char*)scales.data();
    r.bytes.insert(r.bytes.end(), s, s + scales.size() * 2);
    return r;
}

// What out owes: sums of x [R, k] times w, and for each how much the additions may lose.
static void owes(const std::vector<float>& out, const Weights& w, const std::vector<double>& x, const std::vector<float>& bias, int R, int n,
                 int k, double operandError) {
    double worst = 0;
    int where = 0;
    for (int r = 0; r < R; r++)
        for (int i = 0; i < n; i++) {
            double sum = bias.empty() ? 0 : bias[i], size = std::fabs(sum);
            for (int j = 0; j < k; j++) {
                const double p = x[(size_t)r * k + j] * w.value[(size_t)i * k + j];
                sum += p;
                size += std::fabs(p);
            }
            const double error = std::fabs(out[(size_t)r * n + i] - sum) / ((operandError + 1e-6) * size + 1e-30);
            if (!(error <= worst)) worst = error, where = r * n + i;
        }
    check(out.size() == (size_t)R * n && worst <= 1, "element %d: error %.3g of what is allowed", where, worst);
}

struct Shape {
    int n, k, split, teams;
    bool bias, odd;  // odd: the weights do not begin at a multiple of 16 bytes
};
static Shape shape(int unit) {
    const int split = pick({1, 1, 2, 4, 8});
    return Shape{pick({1, 3, 8, 31, 64, 70}), unit * pick({1, 2, 7, 16, 33, 96, 130}), split, 8 / split, coin(), below(4) == 0};
}
static std::string text(const Shape& s, int R) {
    return test::text(", R %d, n %d, k %d, split %d, bias %d, odd %d", R, s.n, s.k, s.split, s.bias, s.odd);
}
static const int TAKES[] = {0, 1, 1, 0, 2, 0, 0, 0, 4};  // rows of w of a team, by R
static dim3 grid(const Shape& s, int R) {
    const int rows = s.teams * TAKES[R];
    return dim3((s.n + rows - 1) / rows);
}

template <class W, class X>
using Plain = void (*)(const W*, const X*, const float*, float*, int, int);
template <class O>
using Gated = void (*)(const O*, const float*, int, const float*, float*, int, int);

template <class W>
struct Odd {
    static constexpr size_t BYTES = sizeof(W);
};
template <>
struct Odd<void> {
    static constexpr size_t BYTES = 2;
};

// The variants for R = 1, 2, 4, 8 and the naive one on the same 8 rows of x.
template <class W, class X>
void plain(const char* name, const Weights& w, const Shape& s, std::initializer_list<Plain<W, X>> kernels) {
    const std::vector<X> x = rounded_all<X>(normals((size_t)8 * s.k));
    std::vector<double> exact;
    for (X v : x) exact.push_back(test::value(v));
    const std::vector<float> bias = s.bias ? normals(s.n) : std::vector<float>();
    Array<unsigned char> dw(w.bytes, s.odd ? Odd<W>::BYTES : 0);
    Array<X> dx(x, s.odd && coin() ? 1 : 0);
    Array<float> db(bias), all((size_t)8 * s.n);
    const float* b = s.bias ? db.p() : nullptr;
    std::vector<float> eight;
    for (int v = 4; v >= 0; v--) {  // 8 rows first
        const int R = v == 4 ? 8 : v == 3 ? 4 : v == 2 ? 2 : 1;
        Array<float> out((size_t)(v ? R : 8) * s.n);
        at = std::string(name) + (v ? "" : " naive") + text(s, R);
        if (v == 0)
            launch(name, kernels.begin()[4], dim3((s.n + 127) / 128, 8), 128, 0, (const W*)dw.p(), (const X*)dx.p(), b, out.p(), s.n, s.k);
        else
            launch(name, kernels.begin()[v - 1], grid(s, R), dim3(32 * s.split, s.teams), 0, (const W*)dw.p(), (const X*)dx.p(), b, out.p(),
                   s.n, s.k);
        const std::vector<float> found = out.read();
        owes(found, w, exact, bias, v ? R : 8, s.n, s.k, 0);
        if (v == 4) eight = found;
        else if (v) same("the first rows", found, std::vector<float>(eight.begin(), eight.begin() + (size_t)R * s.n));
    }
}

static double act(int kind, double x) {
    if (kind == ACT_SILU) return x / (1 + std::exp(-x));
    if (kind == ACT_GELU) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

template <class O>
void gated(const char* name, const Shape& s, std::initializer_list<Gated<O>> kernels) {
    const Weights w = weights<O>(s.n, s.k);
    const int kind = below(3);
    const std::vector<float> x = normals((size_t)8 * 2 * s.k, 2), bias = s.bias ? normals(s.n) : std::vector<float>();
    std::vector<double> operand;
    for (int r = 0; r < 8; r++)
        for (int j = 0; j < s.k; j++) operand.push_back(act(kind, x[2ll * r * s.k + j]) * x[(2ll * r + 1) * s.k + j]);
    Array<unsigned char> dw(w.bytes, s.odd ? sizeof(O) : 0);
    Array<float> dx(x), db(bias);
    const float* b = s.bias ? db.p() : nullptr;
    for (int v = 0; v < 5; v++) {
        const int R = v == 4 ? 8 : v == 3 ? 4 : v == 2 ? 2 : 1, rows = v ? R : 8;
        Array<float> out((size_t)rows * s.n);
        at = std::string(name) + (v ? "" : " naive") + text(s, rows) + test::text(", activation %d", kind);
        if (v == 0)
            launch(name, kernels.begin()[4], dim3((s.n + 127) / 128, 8), 128, 0, (const O*)dw.p(), (const float*)dx.p(), kind, b, out.p(),
                   s.n, s.k);
        else
            launch(name, kernels.begin()[v - 1], grid(s, R), dim3(32 * s.split, s.teams), (size_t)R * s.k * sizeof(O), (const O*)dw.p(),
                   (const float*)dx.p(), kind, b, out.p(), s.n, s.k);
        owes(out.read(), w, operand, bias, rows, s.n, s.k, unit(O()) * 1.01);
    }
}

#define VARIANTS(name) {name##_r1, name##_r2, name##_r4, name##_r8, name##_naive}
#define PLAIN(O, suffix)                                                                                                           \
    for (int i = 0; i < often(10); i++) {                                                                                                 \
        const Shape s = shape(pick({1, 8, 8}));                                                                                    \
        plain<O, O>("gemv_" #suffix, weights<O>(s.n, s.k), s, VARIANTS(gemv_##suffix));                                            \
    }
CASE(gemv) { FOR_OPERANDS(PLAIN) }

#define GATED(O, suffix)                                                                                                           \
    for (int i = 0; i < often(6); i++) gated<O>("gemv_gated_" #suffix, shape(pick({1, 8, 8})), VARIANTS(gemv_gated_##suffix));
CASE(gemv_gated) { FOR_OPERANDS(GATED) }

CASE(gemv_q8) {
    for (int i = 0; i < often(10); i++) {
        Shape s = shape(1);
        s.k = 32 * pick({1, 2, 5, 16, 33});
        const Weights w = weights_q8(s.n, s.k);
        plain<void, float>("gemv_q8", w, s, VARIANTS(gemv_q8));
    }
}

CASE(dequantize) {
    for (auto kernel : {dequantize_q8_bf16, dequantize_q8_bf16_naive}) {
        const int n = 13, k = 96;
        const Weights w = weights_q8(n, k);
        Array<unsigned char> dw(w.bytes);
        Array<bf16> out(n * k);
        LAUNCH(kernel, pick({1, 2, 40}), pick({32, 96, 256}), 0, (const void*)dw.p(), out.p(), n, k);
        close("out", out.read(), w.value, unit(bf16()), 0);
    }
}
