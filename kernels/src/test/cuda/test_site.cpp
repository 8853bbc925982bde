#include <memory>

#include "harness.h"
#include "site.cu"
using namespace test;

typedef std::vector<float> Floats;
template <class O>
using Site = void (*)(float*, float*, const Edit*, const Taps*, const float*, const float*, float, float, int, float,
                      const float*, const float*, float, float, int, O*, int);

// One edit as the oracle sees it.
struct Entry {
    int phase, kind, direction;
    float coefficient, low, high;
    int second = 0;  // direction of ROTATE, gate of PROBE and WHEN
};

static Floats unit_vector(int d) {
    Floats v = normals(d);
    double s = 0;
    for (float x : v) s += (double)x * x;
    for (float& x : v) x = (float)(x / std::sqrt(s));
    return v;
}

// The edits of some rows, and the table of the device. Entries behind the end of a list would be noticed: they are edits of a
// direction full of NaN. Long lists go on behind a jump, some of them behind a second one.
struct Edits {
    static const int GATES = 3, NANS = 6, TURNED = 7;
    std::vector<Floats> directions;  // normals for ADD, three unit vectors, NaN, one orthogonal to the first unit vector
    std::vector<std::vector<Entry>> rows;
    std::vector<std::unique_ptr<Array<float>>> memory;
    std::vector<std::unique_ptr<Array<Edit>>> lists;
    std::unique_ptr<Array<Edit>> table;
    Floats found;  // the gates before the call
    Array<float> gates;
    int d;

    Edits(int rowCount, int d, bool withDelta) : rows(rowCount), found(normals(rowCount * GATES)), gates(found), d(d) {
        for (int i = 0; i < 3; i++) directions.push_back(normals(d));
        for (int i = 0; i < 3; i++) directions.push_back(unit_vector(d));
        directions.push_back(Floats(d, NAN));
        directions.push_back(orthogonal(directions[3]));
        for (const Floats& v : directions) memory.emplace_back(new Array<float>(v));
        for (auto& row : rows) {
            int n = pick({0, 1, 2, 3, 4, 5, 9});
            // entries of a phase that does not take place are to be passed over
            while ((int)row.size() < n) group(row, withDelta || below(4) == 0 ? below(4) : 2 + below(2));
            std::stable_sort(row.begin(), row.end(), [](const Entry& a, const Entry& b) { return a.phase < b.phase; });
        }
    }

    // A unit vector orthogonal to u; zeros if there is none.
    Floats orthogonal(const Floats& u) const {
        Floats v = unit_vector(d);
        double p = 0, s = 0;
        for (int i = 0; i < d; i++) p += (double)u[i] * v[i];
        for (int i = 0; i < d; i++) v[i] = (float)(v[i] - p * u[i]), s += (double)v[i] * v[i];
        for (float& x : v) x = d > 1 ? (float)(x / std::sqrt(s)) : 0.f;
        return v;
    }

    // An edit, or several of one phase: what depends on a gate, what keeps the norm, a probe.
    void group(std::vector<Entry>& row, int phase) {
        const bool gated = below(4) == 0, normed = d > 1 && below(4) == 0;
        const int gate = below(GATES);
        const float bound = normal();
        if (below(4) == 0) row.push_back(Entry{phase, EDIT_PROBE, 3 + below(3), 1, 0, 0, below(GATES)});
        if (gated) row.push_back(Entry{phase, EDIT_WHEN, -1, 1, coin() ? -INFINITY : bound - 1, bound, gate});
        if (normed) row.push_back(Entry{phase, EDIT_KEEP_NORM, -1, 1, 0, 0});
        for (int n = 1 + below(2); n > 0; n--) row.push_back(entry(phase));
        if (normed) row.push_back(Entry{phase, EDIT_RESTORE_NORM, -1, 1, 0, 0});
        if (gated && coin()) row.push_back(Entry{phase, EDIT_ALWAYS, -1, 1, 0, 0});
    }

    Entry entry(int phase) {
        Entry e;
        e.phase = phase;
        e.kind = below(4);
        e.direction = e.kind == EDIT_ADD ? below(3) : e.kind == EDIT_ROTATE ? 3 : 3 + below(3);
        e.second = TURNED;
        e.coefficient = e.kind == EDIT_ADD ? normal() : (float)uniform() + 0.01f;
        e.low = (float)uniform() - 0.5f;
        e.high = coin() ? INFINITY : e.low + (float)uniform();
        if (e.kind == EDIT_ROTATE) {
            const double angle = uniform() * 7;
            e.low = (float)std::cos(angle), e.high = (float)std::sin(angle), e.coefficient = pick({1.f, 1.f, 0.25f, 0.7f});
        }
        return e;
    }

    Edit device(const Entry& e, int row) const {
        const bool gate = e.kind == EDIT_PROBE || e.kind == EDIT_WHEN;
        float* second = gate ? gates.p() + row * GATES + e.second : e.kind == EDIT_ROTATE ? memory[e.second]->p() : nullptr;
        const float* direction = e.direction < 0 ? nullptr : memory[e.direction]->p();
        return Edit{direction, e.coefficient, e.low, e.high, e.kind | e.phase << 4, second};
    }
    Edit jump(std::vector<Edit> list) {
        lists.emplace_back(new Array<Edit>(list));
        return Edit{reinterpret_cast<const float*>(lists.back()->p()), 0, 0, 0, EDIT_JUMP, nullptr};
    }

    const Edit* build() {
        const Edit end{nullptr, 0, 0, 0, EDIT_END, nullptr}, trap = device(Entry{3, EDIT_ADD, NANS, 1, 0, 0}, 0);
        std::vector<Edit> all;
        for (size_t t = 0; t < rows.size(); t++) {
            const auto& row = rows[t];
            std::vector<Edit> line, far;
            for (size_t i = 0; i < row.size(); i++) (i < 3 ? line : far).push_back(device(row[i], (int)t));
            if (far.empty()) {
                line.push_back(end);
            } else {
                far.push_back(end);
                if (far.size() > 4) {
                    const Edit second = jump(std::vector<Edit>(far.begin() + 2, far.end()));
                    far.resize(2);
                    far.push_back(second);
                }
                line.push_back(jump(far));
            }
            while (line.size() < EDITS_INLINE) line.push_back(trap);
            all.insert(all.end(), line.begin(), line.end());
        }
        table.reset(new Array<Edit>(all));
        return table->p();
    }

    static double length(const std::vector<double>& x) {
        double s = 0;
        for (double v : x) s += v * v;
        return std::sqrt(s);
    }
    double dot(const std::vector<double>& x, int direction) const {
        double p = 0;
        for (int i = 0; i < d; i++) p += x[i] * directions[direction][i];
        return p;
    }
    void add(std::vector<double>& x, double factor, int direction) const {
        for (int i = 0; i < d; i++) x[i] += factor * directions[direction][i];
    }

    void apply(std::vector<double>& x, int t, int phase) {
        bool counts = true;
        double kept = 0;
        for (const Entry& e : rows[t]) {
            if (e.phase != phase) continue;
            float* gate = &found[t * GATES + e.second % GATES];
            if (e.kind == EDIT_WHEN) counts = e.low < *gate && *gate < e.high;
            if (e.kind == EDIT_ALWAYS) counts = true;
            if (!counts || e.kind == EDIT_WHEN || e.kind == EDIT_ALWAYS) continue;
            if (e.kind == EDIT_KEEP_NORM) {
                kept = length(x);
            } else if (e.kind == EDIT_RESTORE_NORM) {
                const double now = length(x);
                for (double& v : x) v *= now > 0 ? kept / now : 1;
            } else if (e.kind == EDIT_PROBE) {
                *gate = (float)dot(x, e.direction);
            } else if (e.kind == EDIT_ROTATE) {
                const double p = dot(x, e.direction), q = dot(x, e.second), r = std::hypot(p, q), c = e.coefficient;
                const double toP = (1 - c) * p + c * r * e.low, toQ = (1 - c) * q + c * r * e.high, s = std::hypot(toP, toQ);
                if (s > 0) add(x, toP / s * r - p, e.direction), add(x, toQ / s * r - q, e.second);
            } else {
                double p = dot(x, e.direction), factor = e.coefficient;
                if (e.kind == EDIT_ABLATE) factor *= -p;
                if (e.kind == EDIT_CLAMP) factor *= std::min(std::max(p, (double)e.low), (double)e.high) - p;
                add(x, factor, e.direction);
            }
        }
    }
};

static std::vector<double> normalised(const std::vector<double>& x, int kind, const Floats& w, const Floats* b, float eps,
                                      float offset) {
    const size_t d = x.size();
    double mean = 0, square = 0;
    for (double v : x) mean += kind == NORM_LAYER ? v / d : 0;
    for (double v : x) square += (v - mean) * (v - mean);
    std::vector<double> y(d);
    for (size_t i = 0; i < d; i++)
        y[i] = (x[i] - mean) / std::sqrt(square / d + eps) * ((double)w[i] + offset) + (b ? (*b)[i] : 0);
    return y;
}

static void append(std::vector<double>& to, const std::vector<double>& row) { to.insert(to.end(), row.begin(), row.end()); }

// What is asked of one call.
struct Wish {
    bool delta, edits, tapRows, sums, bias;
    int probes, deltaKind, kind;
};

template <class O>
static void site_case(const char* name, Site<O> kernel, int rows, int d, int block, const Wish& w) {
    const float eps = 1e-5f, deltaOffset = 1.f, offset = 0.f, deltaScale = pick({1.f, 1.f, 0.22f, -0.5f});
    Floats x = normals((size_t)rows * d), delta = normals((size_t)rows * d);
    Floats weight = normals(d), bias = normals(d), deltaWeight = normals(d, 0.1f), probes = normals((size_t)w.probes * d);
    Edits edits(rows, d, w.delta);
    const int slots = 3;
    std::vector<int> start{0}, slot;
    for (int t = 0; t < rows; t++) {
        for (int n = below(3); n > 0; n--) slot.push_back(below(slots));
        start.push_back((int)slot.size());
    }
    slot.push_back(1 << 30);
    Array<float> dx(x), dDelta(delta), dWeight(weight), dBias(bias), dDeltaWeight(deltaWeight), dProbes(probes);
    Array<float> tapped((size_t)rows * d), projections((size_t)rows * w.probes), base(Floats((size_t)slots * d, 0.f));
    Array<long long> sums(std::vector<long long>((size_t)slots * d, 5));
    Array<int> dStart(start), dSlot(slot);
    Array<O> normed((size_t)rows * d);
    Taps taps{};
    if (w.tapRows) taps.rows = tapped.p();
    if (w.probes) taps.probes = dProbes.p(), taps.projections = projections.p(), taps.probeCount = w.probes;
    if (w.sums) taps.sums = sums.p(), taps.sumsBase = base.p(), taps.sumStart = dStart.p(), taps.sumSlot = dSlot.p();
    Array<Taps> dTaps(std::vector<Taps>{taps});
    const bool anyTaps = w.tapRows || w.probes || w.sums || coin();
    launch(name, kernel, rows, block, 0, dx.p(), w.delta ? dDelta.p() : nullptr, w.edits ? edits.build() : nullptr,
           anyTaps ? dTaps.p() : nullptr, dDeltaWeight.p(), w.bias ? dBias.p() : nullptr, eps, deltaOffset, w.deltaKind,
           deltaScale, w.kind ? dWeight.p() : nullptr, w.bias && w.kind ? dBias.p() : nullptr, eps, offset, w.kind,
           w.kind ? normed.p() : nullptr, d);

    std::vector<double> expectedX, expectedTapped, expectedProjections, expectedNormed;
    for (int t = 0; t < rows; t++) {
        std::vector<double> r(x.begin() + t * d, x.begin() + (t + 1) * d);
        if (w.delta) {
            std::vector<double> c(delta.begin() + t * d, delta.begin() + (t + 1) * d);
            if (w.edits) edits.apply(c, t, PHASE_OUT);
            if (w.deltaKind) c = normalised(c, w.deltaKind, deltaWeight, w.bias ? &bias : nullptr, eps, deltaOffset);
            for (double& v : c) v *= deltaScale;
            if (w.edits) edits.apply(c, t, PHASE_WRITE);
            for (int i = 0; i < d; i++) r[i] += c[i];
        }
        if (w.edits) edits.apply(r, t, PHASE_EDIT);
        append(expectedTapped, r);
        for (int p = 0; p < w.probes; p++) {
            double s = 0;
            for (int i = 0; i < d; i++) s += r[i] * probes[p * d + i];
            expectedProjections.push_back(s);
        }
        if (w.edits) edits.apply(r, t, PHASE_AFTER);
        append(expectedX, r);
        if (w.kind) append(expectedNormed, normalised(r, w.kind, weight, w.bias ? &bias : nullptr, eps, offset));
    }
    // up to 9 edits of size |v| = sqrt(d), each with a dot product over d; at most one norm of a row near zero
    const double tolerance = 1e-6 * (4 + std::sqrt(d)), narrow = d < 8 ? 100 : 1;
    close("residual", dx.read(), expectedX, 1e-5, narrow * tolerance);
    if (w.tapRows) close("tapped rows", tapped.read(), expectedTapped, 1e-5, narrow * tolerance);
    close("projections", projections.read(), expectedProjections, 1e-5, narrow * tolerance * std::sqrt(d) * 4);
    if (w.kind) close("normed", normed.read(), expectedNormed, unit(O()) + 1e-5, narrow * tolerance * 3);
    close("gates", edits.gates.read(), std::vector<double>(edits.found.begin(), edits.found.end()), 1e-5,
          narrow * tolerance * 4);
    if (!w.tapRows || !w.sums) return;
    Floats values = tapped.read();  // the sums are exact for the values that were tapped
    std::vector<long long> exact((size_t)slots * d, 5);
    for (int t = 0; t < rows; t++)
        for (int k = start[t]; k < start[t + 1]; k++)
            for (int i = 0; i < d; i++) exact[slot[k] * d + i] += std::llrint((double)values[t * d + i] * 16777216.0);
    same("sums", sums.read(), exact);
    same("base of the sums", base.read(), Floats((size_t)slots * d, 0.f));
}

template <class O>
static void sites(const char* name, Site<O> kernel, int widest) {
    for (int d : {1, 7, 60, 64, 111, 576, 2048, 4096, 8192}) {
        if (d > widest) continue;
        for (int n = often(d > 2000 ? 2 : d > 200 ? 5 : 12); n > 0; n--) {
            Wish w{below(4) != 0, below(5) != 0, coin(), coin(), coin(), pick({0, 0, 1, 3, 8, 11}), pick({0, 0, 1, 2}), below(3)};
            const int rows = d > 2000 ? 1 : 4, block = d > 4096 ? 512 : d > 500 ? 256 : pick({32, 64, 256});
            at = text("%s d=%d block=%d delta=%d edits=%d taps=%d%d probes=%d norms=%d%d", name, d, block, w.delta, w.edits,
                      w.tapRows, w.sums, w.probes, w.deltaKind, w.kind);
            site_case(name, kernel, rows, d, block, w);
        }
    }
}

CASE(site) {
    sites("site_f32", site_f32, 8192);
    sites("site_f32_naive", site_f32_naive, 2048);
    sites("site_bf16", site_bf16, 2048);
    sites("site_bf16_naive", site_bf16_naive, 600);
    sites("site_f16", site_f16, 2048);
    sites("site_f16_naive", site_f16_naive, 600);
}

CASE(site_wider_than_the_block_holds) {
    at = "site_f32 d=2048 block=64";
    site_case("site_f32", site_f32, 2, 2048, 64, Wish{true, true, true, true, true, 3, 1, 2});
}

// A row without edits, and one whose clamp finds nothing to do, keep their bits, whatever the direction holds.
CASE(untouched_rows_keep_their_bits) {
    for (auto kernel : {site_f32, site_f32_naive}) {
        const int d = 64;
        Floats x = normals(2 * d, 0.01f);
        Floats u(d, 0.f);
        u[5] = 1;
        x[3] = x[d + 3] = -0.f;  // adding 0 would make it 0
        Array<float> dx(x), dU(u);
        std::vector<Edit> table(2 * EDITS_INLINE, Edit{nullptr, 0, 0, 0, EDIT_END, nullptr});
        table[EDITS_INLINE] = Edit{dU.p(), 0.7f, -1, 1, EDIT_CLAMP | PHASE_EDIT << 4, nullptr};
        Array<Edit> dTable(table);
        const float* none = nullptr;
        LAUNCH(kernel, 2, 64, 0, dx.p(), (float*)nullptr, dTable.p(), (const Taps*)nullptr, none, none, 0.f, 0.f, 0, 1.f, none,
               none, 0.f, 0.f, 0, (float*)nullptr, d);
        same("x", dx.read(), x);
    }
}

// What restores a norm that is the same, waits for a gate that is shut, or turns a row without a part in the plane changes
// no bit; what an edit made zero has no direction to be rescaled along, and a row whose norm was 0 becomes zeros again.
CASE(edits_that_find_nothing_to_do) {
    for (auto kernel : {site_f32, site_f32_naive}) {
        const int d = 64;
        Floats x = normals(5 * d), u(d, 0.f), w(d, 0.f);
        u[5] = w[6] = 1;
        for (int t = 0; t < 3; t++) x[t * d + 5] = x[t * d + 6] = -0.f;
        std::fill(x.begin() + 2 * d, x.end(), 0.f);
        Floats before = x;
        before[4 * d + 5] = 2;
        Array<float> dx(before), dU(u), dW(w), gate(Floats{0.5f});
        auto edit = [](const float* v, float c, float low, float high, int kind, void* second) {
            return Edit{v, c, low, high, kind | PHASE_EDIT << 4, second};
        };
        const Edit end{nullptr, 0, 0, 0, EDIT_END, nullptr}, keep = edit(nullptr, 1, 0, 0, EDIT_KEEP_NORM, nullptr);
        const Edit restore = edit(nullptr, 1, 0, 0, EDIT_RESTORE_NORM, nullptr);
        const Edit turn = edit(dU.p(), 1, 0, 1, EDIT_ROTATE, dW.p()), add = edit(dU.p(), 3, 0, 0, EDIT_ADD, nullptr);
        const Edit ablate = edit(dU.p(), 1, 0, 0, EDIT_ABLATE, nullptr);
        const Edit shut = edit(nullptr, 1, 0.5f, INFINITY, EDIT_WHEN, gate.p());
        Array<Edit> table(std::vector<Edit>{keep, turn, restore, end,   // no part in the plane
                                            shut, add, end, end,        // 0.5 is not above 0.5
                                            keep, restore, end, end,    // zeros
                                            keep, add, restore, end,       // zeros, moved and restored
                                            keep, ablate, restore, end});  // nothing is left
        const float* none = nullptr;
        LAUNCH(kernel, 5, 64, 0, dx.p(), (float*)nullptr, table.p(), (const Taps*)nullptr, none, none, 0.f, 0.f, 0, 1.f, none,
               none, 0.f, 0.f, 0, (float*)nullptr, d);
        same("x", dx.read(), x);
        same("gate", gate.read(), Floats{0.5f});
    }
}

// What fixed point cannot hold goes to the base: large numbers, infinities, NaN.
CASE(sums_of_large_numbers) {
    for (auto kernel : {site_f32, site_f32_naive}) {
        const int d = 8;
        Floats x{1e30f, -INFINITY, NAN, 1073741824.f, 1073741760.f, -1073741760.f, 0x1p-25f, 0x1.8p-24f};
        Array<float> dx(x), base(Floats(d, 1.f));
        Array<long long> sums(std::vector<long long>(d, 0));
        Array<int> start(std::vector<int>{0, 1}), slot(std::vector<int>{0});
        Array<Taps> taps(std::vector<Taps>{Taps{nullptr, nullptr, nullptr, sums.p(), base.p(), start.p(), slot.p(), 0, 0}});
        const float* none = nullptr;
        LAUNCH(kernel, 1, 32, 0, dx.p(), (float*)nullptr, (const Edit*)nullptr, taps.p(), none, none, 0.f, 0.f, 0, 1.f, none,
               none, 0.f, 0.f, 0, (float*)nullptr, d);
        close("base", base.read(), {(double)(1e30f + 1.f), -INFINITY, NAN, 1073741824.0, 1, 1, 1, 1}, 0, 0);
        const long long big = 1073741760ll << 24;
        same("sums", sums.read(), std::vector<long long>{0, 0, 0, 0, big, -big, 0, 2});
        same("x", dx.read(), x);
    }
}
