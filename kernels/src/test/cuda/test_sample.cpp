#include "harness.h"
#include "sample.cu"
using namespace test;

// Draws in double precision. near: how close a decision was, as a share of the whole; close ones may fall either way.
static int draw(const std::vector<float>& x, const SampleArgs& a, double& near) {
    const int n = (int)x.size();
    near = 1;
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    if (!std::isfinite(x[best])) return -1;
    if (a.temperature == 0) return best;
    std::vector<double> w(n);
    std::vector<float> scaled(n);
    const float origin = a.temperature < 1e-3f ? x[best] : 0;
    for (int i = 0; i < n; i++) scaled[i] = a.temperature == 1 ? x[i] : (x[i] - origin) / a.temperature;
    std::vector<float> sorted = scaled;
    std::sort(sorted.begin(), sorted.end(), std::greater<float>());
    for (int i = 0; i < n; i++) {
        const bool kept = a.topK == 0 || a.topK >= n || scaled[i] >= sorted[a.topK - 1];
        w[i] = kept ? std::exp(std::max(scaled[i] - scaled[best], -88.f)) : 0;
    }
    if (a.topP < 1) {
        double sum = 0, dropped = 0;
        for (double v : w) sum += v;
        std::vector<int> order(n);
        for (int i = 0; i < n; i++) order[i] = i;
        std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return w[i] < w[j]; });
        for (int i = 0; i < n - 1; i++) {
            dropped += w[order[i]];
            near = std::min(near, std::fabs(dropped - (1 - a.topP) * sum) / sum);
            if (dropped > (1 - a.topP) * sum) break;
            w[order[i]] = 0;
        }
    }
    double sum = 0, cumulative = 0;
    for (double& v : w) {
        if (v > 0) near = std::min(near, std::fabs(v - a.minP));
        if (v < a.minP) v = 0;
        sum += v;
    }
    int drawn = -1;
    for (int i = 0; i < n; i++) {
        cumulative += w[i];
        if (w[i] > 0) near = std::min(near, std::fabs(cumulative - a.u * sum) / sum);
        if (drawn < 0 && cumulative > a.u * sum) drawn = i;
    }
    return drawn;
}

static SampleArgs options() {
    SampleArgs a{uniform(), 1, 0, 1, 0};
    a.temperature = pick({0.f, 1.f, 0.7f, 2.5f, 1e-4f});
    if (coin()) a.topK = 1 + below(60);
    if (coin()) a.topP = pick({0.999, 0.9, 0.5, 0.05});
    if (below(3) == 0) a.minP = 0.3 * uniform();
    return a;
}

static void samples(const char* name, void (*kernel)(const float*, int, const SampleArgs*, int*), std::vector<int> widths,
                    bool naive) {
    for (int n : widths)
        for (int times = often(naive || n > 2000 ? 3 : 12); times > 0; times--) {
            const int rows = 4;
            std::vector<float> x = normals((size_t)rows * n, 2);
            for (int i = 0; i < n; i++) {
                x[i] = (float)below(3);  // ties in one row
                if (below(9) == 0) x[n + i] = -INFINITY;
            }
            std::vector<SampleArgs> args;
            std::vector<int> expected;
            for (int r = 0; r < rows; r++) {
                const std::vector<float> row(x.begin() + r * n, x.begin() + (r + 1) * n);
                double near = 0;
                args.push_back(options());
                int token = draw(row, args[r], near);
                while (near < 1e-5) {
                    args[r] = options();
                    token = draw(row, args[r], near);
                }
                expected.push_back(token);
            }
            Array<float> dx(x);
            Array<SampleArgs> da(args);
            Array<int> out(rows);
            const int block = naive ? 1 : n > 2000 ? 1024 : pick({32, 128, 512});
            launch(name, kernel, rows, block, 0, dx.p(), n, da.p(), out.p());
            const std::vector<int> got = out.read();
            for (int r = 0; r < rows; r++)
                check(got[r] == expected[r], "%s n=%d block=%d row %d: drew %d, expected %d (u=%g p=%g min=%g t=%g k=%d)", name, n,
                      block, r, got[r], expected[r], args[r].u, args[r].topP, args[r].minP, args[r].temperature, args[r].topK);
        }
}

CASE(sample) { samples("sample", sample, {1, 7, 64, 111, 1000, 5003}, false); }
CASE(sample_naive) { samples("sample_naive", sample_naive, {1, 7, 64, 111}, true); }

CASE(broken_logits) {
    for (auto kernel : {sample, sample_naive}) {
        const float inf = INFINITY;
        const std::vector<float> x{0, inf, 1, 2, NAN, 1, 2, 3, -inf, -inf, -inf, -inf, 1, NAN, 9, NAN};
        Array<float> dx(x);
        Array<SampleArgs> args(std::vector<SampleArgs>(4, SampleArgs{0.5, 1, 0, 1, 0}));
        Array<SampleArgs> greedy(std::vector<SampleArgs>(4, SampleArgs{0.5, 1, 0, 0, 0}));
        Array<int> out(4), best(4);
        const dim3 block(kernel == sample ? 32 : 1);
        LAUNCH(kernel, 4, block, 0, dx.p(), 4, args.p(), out.p());
        LAUNCH(kernel, 4, block, 0, dx.p(), 4, greedy.p(), best.p());
        same("drawn", out.read(), {-1, -1, -1, 2});
        same("greedy", best.read(), {-1, -1, -1, 2});
    }
}
