#include "harness.h"
#include "argmax.cu"
using namespace test;

static std::vector<float> rows_of(int rows, int n) {
    std::vector<float> x = normals((size_t)rows * n);
    for (int r = 0; r < rows; r++) {
        float* row = x.data() + (size_t)r * n;
        const int what = below(8);
        for (int i = 0; i < n; i++) {
            if (what == 0) row[i] = (float)below(3);                    // ties
            if (what == 1 && coin()) row[i] = NAN;
            if (what == 2) row[i] = -INFINITY;                          // nothing wins
            if (what == 3) row[i] = coin() ? 0.f : -0.f;                // these tie
            if (what == 4) row[i] = -std::fabs(row[i]) - 1e30f;
            if (what == 5) row[i] = i == n - 1 ? INFINITY : NAN;        // the very last one
            if (what == 6 && i < n - n / 8 - 1) row[i] = -5;            // among the last
        }
    }
    return x;
}

static std::vector<int> first_largest(const std::vector<float>& x, int rows, int n) {
    std::vector<int> best(rows, 0);
    for (int r = 0; r < rows; r++) {
        float value = -INFINITY;
        for (int i = 0; i < n; i++)
            if (x[(size_t)r * n + i] > value) value = x[(size_t)r * n + i], best[r] = i;
    }
    return best;
}

CASE(argmax) {
    for (int n : {1, 7, 64, 111, 1000, 4096, 5003})
        for (int times = often(4); times > 0; times--) {
            const int rows = 3, block = pick({32, 128, 1024}), splits = pick({1, 2, 5});
            at = text("argmax n=%d block=%d splits=%d", n, block, splits);
            std::vector<float> x = rows_of(rows, n);
            const std::vector<int> expected = first_largest(x, rows, n);
            Array<float> dx(x);
            Array<int> plain(rows), tuned(rows), split(rows);
            LAUNCH(argmax_naive, rows, 1, 0, dx.p(), n, plain.p());
            same("naive", plain.read(), expected);
            LAUNCH(argmax, rows, block, 0, dx.p(), n, tuned.p());
            same("tuned", tuned.read(), expected);
            Array<Key> best(std::vector<Key>(rows, 0));
            Array<unsigned> done(std::vector<unsigned>(rows, 0));
            for (int again = 0; again < 2; again++) {  // the second call finds what the first one left
                LAUNCH(argmax_split, dim3(rows, splits), std::min(block, 256), 0, dx.p(), n, best.p(), done.p(), split.p());
                same("split", split.read(), expected);
            }
            same("best", best.read(), std::vector<Key>(rows, 0));
            same("done", done.read(), std::vector<unsigned>(rows, 0));
        }
}
