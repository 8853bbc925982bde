#include "harness.h"
#include "moe_route.cu"
using namespace test;

CASE(moe_route) {
    for (int experts : {1, 8, 33, 60, 128})
        for (int times = often(6); times > 0; times--) {
            const int rows = 3, k = std::min(experts, pick({1, 2, 8})), normalise = below(2);
            at = text("moe_route experts=%d topK=%d normalise=%d", experts, k, normalise);
            std::vector<float> x = normals(rows * experts, 3);
            for (int i = 0; i < experts; i++) x[i] = (float)below(3);  // ties
            std::vector<int> chosen;
            std::vector<double> weights;
            for (int r = 0; r < rows; r++) {
                const float* row = x.data() + r * experts;
                std::vector<int> order(experts);
                for (int i = 0; i < experts; i++) order[i] = i;
                std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return row[i] > row[j]; });
                double sum = 0, kept = 0;
                for (int i = 0; i < experts; i++) sum += std::exp((double)row[i] - row[order[0]]);
                for (int i = 0; i < k; i++) kept += std::exp((double)row[order[i]] - row[order[0]]);
                for (int i = 0; i < k; i++) {
                    chosen.push_back(order[i]);
                    weights.push_back(std::exp((double)row[order[i]] - row[order[0]]) / (normalise ? kept : sum));
                }
            }
            Array<float> dx(x);
            for (bool naive : {false, true}) {
                Array<int> expert(rows * k);
                Array<float> weight(rows * k);
                launch("moe_route", naive ? moe_route_naive : moe_route, rows, naive ? 1 : 32, 0, dx.p(), experts, k, normalise,
                       expert.p(), weight.p());
                same("expert", expert.read(), chosen);
                close("weight", weight.read(), weights, 2e-6, 1e-9);
            }
        }
}

CASE(moe_route_of_nan) {
    const float x[4] = {NAN, 1, NAN, 2};
    for (auto kernel : {moe_route, moe_route_naive}) {
        Array<float> dx(std::vector<float>(x, x + 4));
        Array<int> expert(3);
        Array<float> weight(3);
        LAUNCH(kernel, 1, kernel == moe_route ? 32 : 1, 0, dx.p(), 4, 3, 0, expert.p(), weight.p());
        same("expert", expert.read(), {3, 1, 0});
        close("weight", weight.read(), {NAN, NAN, NAN}, 0, 0);
    }
}

CASE(moe_sort) {
    for (int experts : {1, 8, 33})
        for (int entries : {1, 31, 64, 333}) {
            at = text("moe_sort experts=%d entries=%d", experts, entries);
            std::vector<int> expert, start{0}, order;
            for (int i = 0; i < entries; i++) expert.push_back(below(experts));
            for (int e = 0; e < experts; e++) {
                for (int i = 0; i < entries; i++)
                    if (expert[i] == e) order.push_back(i);
                start.push_back((int)order.size());
            }
            Array<int> de(expert);
            const int block = pick({32, 128});
            for (bool naive : {false, true}) {
                Array<int> s(experts + 1), o(entries);
                launch("moe_sort", naive ? moe_sort_naive : moe_sort, naive ? 1 : (experts + block / 32 - 1) / (block / 32),
                       naive ? 1 : block, 0, de.p(), entries, experts, s.p(), o.p());
                same("start", s.read(), start);
                same("order", o.read(), order);
            }
        }
}
