#include "harness.h"
#include "gather.cu"
using namespace test;

template <class O>
static void gathers(const char* name, void (*kernel)(const float*, const int*, O*, int)) {
    for (int d : {1, 7, 64, 111, 2048}) {
        at = text("%s d=%d", name, d);
        std::vector<float> x = normals((size_t)6 * d);
        const std::vector<int> index{5, 0, 0, below(6)};
        Array<float> dx(x);
        Array<int> di(index);
        Array<O> out(index.size() * d);
        launch(name, kernel, (int)index.size(), pick({32, 256}), 0, dx.p(), di.p(), out.p(), d);
        std::vector<O> expected;
        for (int i : index)
            for (int c = 0; c < d; c++) expected.push_back(rounded<O>(x[i * d + c]));
        same("out", out.read(), expected);
    }
}

CASE(gather) {
    gathers("gather_f32", gather_f32);
    gathers("gather_bf16", gather_bf16);
    gathers("gather_f16", gather_f16);
}

template <class O>
static void rounds(const char* name, void (*kernel)(const float*, O*, long long)) {
    for (int n : {1, 63, 1000}) {
        at = text("%s n=%d", name, n);
        std::vector<float> x = normals(n, 100);
        Array<float> dx(x);
        Array<O> out(n);
        launch(name, kernel, pick({1, 3}), pick({32, 256}), 0, dx.p(), out.p(), (long long)n);
        same("out", out.read(), rounded_all<O>(x));
    }
}

CASE(round) {
    rounds("round_bf16", round_bf16);
    rounds("round_f16", round_f16);
}

CASE(add_bias) {
    for (int n : {1, 7, 500}) {
        std::vector<float> bias = normals(n), expected;
        Array<float> out(3 * n), db(bias);
        LAUNCH(add_bias, 3, pick({32, 256}), 0, out.p(), db.p(), n);
        for (int t = 0; t < 3; t++) expected.insert(expected.end(), bias.begin(), bias.end());
        same("out", out.read(), expected);
    }
}

CASE(sums_finish) {
    const int n = 777;
    std::vector<long long> sums;
    std::vector<float> base = normals(n), expected;
    for (int i = 0; i < n; i++) {
        sums.push_back((long long)(random_bits() >> pick({2, 30, 45})) * (coin() ? 1 : -1));
        expected.push_back((float)((double)base[i] + (double)sums[i] * 0x1p-24));
    }
    Array<long long> ds(sums);
    Array<float> db(base), out(n);
    LAUNCH(sums_finish, 2, 128, 0, ds.p(), db.p(), out.p(), (long long)n);
    same("out", out.read(), expected);
}
