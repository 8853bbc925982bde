// Decode and prefill attention against softmax in double precision, over random scenes of pages, sequences and rows.
#include "harness.h"
#include "attention.cu"
#include "attention_prefill.cu"
#include <algorithm>
using namespace test;

struct Shape {
    int group, kvHeads, headDim, window;
    float softCap;
    int heads() const { return group * kvHeads; }
    std::string text() const {
        return test::text("group %d, kvHeads %d, headDim %d, window %d, cap %g", group, kvHeads, headDim, window, softCap);
    }
};

// Sequences whose keys and values of all positions are stored in pages of a pool that is otherwise not-a-number.
template <class O>
struct Scene {
    static constexpr int BLOCKS = 2, SHIFT = 2, BLOCK = 1;
    Shape s;
    std::vector<int> lengths;
    int stride, pages;
    long long pageElements;
    std::vector<std::vector<double>> keys, values;  // [sequence][position, kvHeads, headDim]
    std::vector<std::vector<O>> content;            // of each slab
    std::vector<std::unique_ptr<Array<O>>> slabs;
    std::unique_ptr<Array<void*>> slabTable;
    std::vector<int> table;  // [sequence, stride]

    Scene(const Shape& shape, std::vector<int> n)
        : s(shape), lengths(n), stride(*std::max_element(n.begin(), n.end()) / 16 + 2), pages(3),
          pageElements(BLOCKS * shape.kvHeads * 2LL * 16 * shape.headDim), table(n.size() * stride, -1) {
        for (int l : n) pages += (l + 15) / 16;
        O nan;
        memset((void*)&nan, 0xff, sizeof nan);
        content.assign((pages + 3) >> SHIFT, std::vector<O>(pageElements << SHIFT, nan));
        std::vector<int> unused(pages);
        for (int i = 0; i < pages; i++) unused[i] = i;
        std::shuffle(unused.begin(), unused.end(), random_bits);
        for (size_t q = 0; q < n.size(); q++) {
            for (int i = 0; i < (n[q] + 15) / 16; i++) table[q * stride + i] = unused.back(), unused.pop_back();
            keys.push_back(store(q, 0));
            values.push_back(store(q, 1));
        }
        std::vector<void*> at;
        for (auto& c : content) {
            slabs.emplace_back(new Array<O>(c));
            at.push_back(slabs.back()->p());
        }
        slabTable.reset(new Array<void*>(at));
    }
    std::vector<double> store(size_t q, int which) {
        std::vector<double> kept;
        for (int p = 0; p < lengths[q]; p++)
            for (int g = 0; g < s.kvHeads; g++)
                for (int i = 0; i < s.headDim; i++) {
                    const int page = table[q * stride + p / 16];
                    const long long at = (page & ((1 << SHIFT) - 1)) * pageElements + (p % 16) * s.headDim + i;
                    for (int b = 0; b < BLOCKS; b++) {  // the other block holds other numbers
                        const O v = rounded<O>(normal());
                        content[page >> SHIFT][at + ((b * s.kvHeads + g) * 2LL + which) * 16 * s.headDim] = v;
                        if (b == BLOCK) kept.push_back(value(v));
                    }
                }
        return kept;
    }
    // Pages before the first position that a row at position p sees are given up.
    void dropBefore(int q, int p) {
        for (int i = 0; i < (s.window ? std::max(0, p - s.window + 1) : 0) / 16; i++) table[q * stride + i] = -1;
    }
};

struct Row {
    int sequence, position;
};

// Rows of a step with their queries; what the kernels get and what they owe.
template <class O>
struct Step {
    Scene<O>& scene;
    const Shape& s;
    std::vector<Row> list;
    int columns, qColumn;
    float scale;
    std::vector<float> qkv;
    std::unique_ptr<Array<float>> x;
    std::unique_ptr<Array<int>> position, sequence, table;
    std::unique_ptr<Array<RowArgs>> rows;
    std::vector<O> out;  // of the last launch

    Step(Scene<O>& scene, std::vector<Row> list, bool representable)
        : scene(scene), s(scene.s), list(list), columns((s.group + 2) * s.kvHeads * s.headDim + 3), qColumn(3),
          scale(1 / std::sqrt((float)s.headDim) * 1.5f), qkv(normals(list.size() * columns)) {
        if (representable)
            for (float& v : qkv) v = (float)value(rounded<O>(v));
        std::vector<int> p, q;
        for (const Row& r : list) p.push_back(r.position), q.push_back(r.sequence);
        x.reset(new Array<float>(qkv));
        position.reset(new Array<int>(p));
        sequence.reset(new Array<int>(q));
        table.reset(new Array<int>(scene.table));
        rows.reset(new Array<RowArgs>(std::vector<RowArgs>{
            RowArgs{nullptr, position->p(), sequence->p(), table->p(), scene.stride, (int)list.size()}}));
    }
    int width() const { return s.heads() * s.headDim; }
    std::vector<O> row(int t) const { return std::vector<O>(out.begin() + (size_t)t * width(), out.begin() + (size_t)(t + 1) * width()); }

    // Checks a head of row t; its weights may have been rounded with that relative error.
    void owes(int t, int head, double weightError) {
        const int k = s.headDim, g = head / s.group, p = list[t].position, first = s.window ? std::max(0, p - s.window + 1) : 0;
        const std::vector<double>&keys = scene.keys[list[t].sequence], &values = scene.values[list[t].sequence];
        std::vector<double> w, sum(k), size(k);
        double top = -INFINITY, total = 0;
        for (int j = first; j <= p; j++) {
            double dot = 0;
            for (int i = 0; i < k; i++)
                dot += (double)qkv[(size_t)t * columns + qColumn + head * k + i] * keys[((size_t)j * s.kvHeads + g) * k + i];
            dot *= scale;
            w.push_back(s.softCap ? s.softCap * std::tanh(dot / s.softCap) : dot);
            top = std::max(top, w.back());
        }
        for (int j = first; j <= p; j++) {
            const double e = std::exp(w[j - first] - top);
            total += e;
            for (int i = 0; i < k; i++) {
                const double v = values[((size_t)j * s.kvHeads + g) * k + i];
                sum[i] += e * v;
                size[i] += e * std::fabs(v);
            }
        }
        double worst = 0;
        int where = 0;
        for (int i = 0; i < k; i++) {
            const double owed = sum[i] / total, slack = 1.01 * unit(O()) * std::fabs(owed) + (weightError + 3e-6) * size[i] / total;
            const double error = std::fabs(value(out[(size_t)t * width() + head * k + i]) - owed) / slack;
            if (!(error <= worst)) worst = error, where = i;
        }
        check(worst <= 1, "row %d at position %d, head %d, element %d: error %.3g of what is allowed", t, p, head, where, worst);
    }
    void untouched(int t) {
        const std::vector<O> r = row(t);
        bool clean = true;
        for (size_t i = 0; i < r.size() * sizeof(O); i++) clean &= ((const unsigned char*)r.data())[i] == 0xff;
        check(clean, "row %d is not in the list but was written", t);
    }
};

template <class O>
using DecodeKernel = void (*)(DECODE_PARAMETERS(O));
template <class O>
using PrefillKernel = void (*)(PREFILL_PARAMETERS(O));

template <class O>
struct Kernels;
#define TENSOR(O)                                                                                                              \
    return k == 64 ? attend_prefill_##O##_k64 : k == 96 ? attend_prefill_##O##_k96 : k == 128 ? attend_prefill_##O##_k128 : attend_prefill_##O##_k256;
#define KERNELS(O, T, PREFILLS)                                                                                                          \
    template <>                                                                                                                \
    struct Kernels<T> {                                                                                                        \
        static DecodeKernel<T> decode(int g) {                                                                                 \
            return g == 0   ? attend_decode_##O##_naive                                                                        \
                   : g == 1 ? attend_decode_##O##_g1                                                                           \
                   : g == 2 ? attend_decode_##O##_g2                                                                           \
                   : g == 4 ? attend_decode_##O##_g4                                                                           \
                            : attend_decode_##O##_g8;                                                                          \
        }                                                                                                                      \
        static PrefillKernel<T> prefill(int k) {                                                                               \
            if (k == 0) return attend_prefill_##O##_naive;                                                                     \
            PREFILLS                                                                                                           \
        }                                                                                                                      \
    };
KERNELS(f32, float, return attend_prefill_f32;)
KERNELS(bf16, bf16, TENSOR(bf16))
KERNELS(f16, f16, TENSOR(f16))

template <class O>
const std::vector<O>& decode(Step<O>& step, std::vector<int> rows, int G, int chunk, int splits, Array<int>& counters) {
    const Shape& s = step.s;
    Array<int> list(rows);
    Array<float> partial(rows.size() * s.heads() * splits * (s.headDim + 2));
    Array<O> out(step.list.size() * step.width());
    const size_t shared = (size_t)G * (5 * s.headDim + 8) * 4;
    LAUNCH(Kernels<O>::decode(G), dim3(s.kvHeads, splits, rows.size()), 128, shared, (const float*)step.x->p(), step.columns, step.qColumn,
           (const RowArgs*)step.rows->p(), (const int*)list.p(), (void* const*)step.scene.slabTable->p(), +Scene<O>::SHIFT,
           step.scene.pageElements, +Scene<O>::BLOCK, s.heads(), s.kvHeads, s.headDim, step.scale, s.softCap, s.window, partial.p(),
           counters.p(), out.p(), chunk);
    step.out = out.read();
    same("counters", counters.read(), std::vector<int>(counters.size(), 0));
    return step.out;
}

// Rows at the end or in the middle of their sequences, some of them in the list, in any order, with empty entries.
template <class O>
void decode_scene(int number) {
    Shape s{pick({1, 2, 3, 4, 7, 8, 9, 16}), pick({1, 2, 3}), pick({2, 3, 8, 12, 16, 40, 60, 64, 80, 96, 120, 128, 136, 256}),
            pick({0, 0, 1, 5, 16, 17, 40, 100}), pick({0.f, 0.f, 2.5f})};
    if (s.headDim > 128) s.group = std::min(s.group, 4);
    const std::vector<int> lengths{pick({1, 15, 16, 17, 33}), 70 + below(120), 1 + below(64)};
    Scene<O> scene(s, lengths);
    std::vector<Row> rows;
    for (int q = 0; q < 3; q++) rows.push_back(Row{q, lengths[q] - 1});
    rows.push_back(Row{1, below(lengths[1])});
    rows.push_back(Row{1, lengths[1] - 1});  // not in the list
    for (int q = 0; q < 3; q++) scene.dropBefore(q, q == 1 ? std::min(rows[1].position, rows[3].position) : rows[q].position);
    Step<O> step(scene, rows, false);
    std::vector<int> list{0, 1, -1, 2, 3};
    std::shuffle(list.begin(), list.end(), random_bits);
    Array<int> counters(std::vector<int>(list.size() * s.kvHeads, 0));
    int G = s.headDim % 8 || below(4) == 0 ? 0 : s.group > 4 ? 8 : s.group > 2 ? 4 : s.group;
    if (G && below(4) == 0) G = pick({1, 2, 4, 8});
    const int chunk = pick({16, 32, 64, 256}), splits = (lengths[1] + chunk - 1) / chunk;
    const std::string what = text("attend_decode_%s_%d, scene %d, %s, chunk %d", type_name(O()), G, number, s.text().c_str(), chunk);
    auto owes = [&] {
        for (int t = 0; t < 4; t++)
            for (int head = 0; head < s.heads(); head++) step.owes(t, head, 0);
    };
    at = what;
    const std::vector<O> first = decode(step, list, G, chunk, splits, counters);
    owes();
    step.untouched(4);
    at = what + ", more splits than needed";
    same("out", decode(step, list, G, chunk, splits + 2, counters), first);
    at = what + ", a second launch";
    same("out", decode(step, list, G, chunk, splits, counters), first);
    at = what + ", fewer splits";
    decode(step, list, G, chunk, 1 + below(splits), counters);
    owes();
    at = what + ", one row alone";
    const std::vector<O> beside(first.begin() + step.width(), first.begin() + 2 * step.width());
    decode(step, {1}, G, chunk, splits, counters);
    same("out", step.row(1), beside);
}

// Chunks of sequences cut into tiles; K is the head width of the tensor-core variant, 1 for the float one, 0 for naive.
template <class O>
const std::vector<O>& prefill(Step<O>& step, const std::vector<Tile>& list, int K) {
    const Shape& s = step.s;
    Array<Tile> tiles(list);
    Array<O> out(step.list.size() * step.width());
    const size_t shared = K == 1 ? 48 * (s.headDim + 4) * 4 : K == 256 ? 67584 : K ? 256 * (K + 8) : 0;
    LAUNCH(Kernels<O>::prefill(K), dim3(tiles.size(), s.heads()), 128, shared, (const float*)step.x->p(), step.columns, step.qColumn,
           (const RowArgs*)step.rows->p(), (const Tile*)tiles.p(), (void* const*)step.scene.slabTable->p(), +Scene<O>::SHIFT,
           step.scene.pageElements, +Scene<O>::BLOCK, s.heads(), s.kvHeads, s.headDim, step.scale, s.softCap, s.window, out.p());
    return step.out = out.read();
}

static std::vector<Tile> tiles_of(const std::vector<Row>& rows, int longest) {
    std::vector<Tile> tiles;
    for (int t = 0; t < (int)rows.size();) {
        const int most = below(3) ? longest : 1 + below(longest);
        int n = 1;
        while (t + n < (int)rows.size() && n < most && rows[t + n].sequence == rows[t].sequence) n++;
        tiles.push_back(Tile{t, n});
        t += n;
    }
    tiles.push_back(Tile{0, 0});
    return tiles;
}

template <class O>
void prefill_scene(int number) {
    const bool narrow = sizeof(O) == 2;
    Shape s{pick({1, 2, 3, 7}), pick({1, 2}), pick({1, 2, 8, 12, 16, 40, 60, 64, 72, 80, 96, 120, 128, 136, 200, 256}),
            pick({0, 0, 1, 5, 16, 17, 40, 100}), pick({0.f, 0.f, 2.5f})};
    if (s.headDim > 64) s.group = std::min(s.group, 2);
    const std::vector<int> lengths{70 + below(100), pick({1, 15, 16, 17, 33, 64})};
    Scene<O> scene(s, lengths);
    const int from[] = {pick({0, 1, 16, 40, 60, 64}), 0};
    std::vector<Row> rows;
    for (int q = 0; q < 2; q++)
        for (int p = from[q]; p < lengths[q]; p++) rows.push_back(Row{q, p});
    scene.dropBefore(0, from[0]);
    int K = s.headDim % 4 == 0;
    if (narrow) K = s.headDim % 8 ? 0 : s.headDim <= 64 ? 64 : s.headDim <= 96 ? 96 : s.headDim <= 128 ? 128 : 256;
    Step<O> step(scene, rows, narrow && K);
    const std::string what = text("attend_prefill_%s_%d, scene %d, %s", type_name(O()), K, number, s.text().c_str());
    at = what;
    const std::vector<O> whole = prefill(step, tiles_of(rows, 64), K);
    for (size_t t = 0; t < rows.size(); t++)
        for (int head = 0; head < s.heads(); head++) step.owes(t, head, narrow && K ? unit(O()) : 0);
    at = what + ", other tiles";
    same("out", prefill(step, tiles_of(rows, 23), K), whole);
    at = what + ", naive";
    if (!narrow && K) same("out", prefill(step, tiles_of(rows, 64), 0), whole);
}

CASE(attend_decode) {
    for (int scene = 0; scene < often(10); scene++) {
        decode_scene<float>(scene);
        decode_scene<bf16>(scene);
        decode_scene<f16>(scene);
    }
}

CASE(attend_prefill) {
    for (int scene = 0; scene < often(8); scene++) {
        prefill_scene<float>(scene);
        prefill_scene<bf16>(scene);
        prefill_scene<f16>(scene);
    }
}
