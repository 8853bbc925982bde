#include "harness.h"
#include "embed.cu"
using namespace test;

template <class W>
static void embeds(const char* name, void (*kernel)(const W*, const int*, float, float*, int)) {
    for (int d : {1, 7, 60, 64, 111, 576, 2048}) {
        const int rows = 5, words = 9;
        at = text("%s d=%d", name, d);
        const size_t skip = below(3) == 0;
        std::vector<W> table = rounded_all<W>(normals((size_t)words * d));
        std::vector<int> ids{8, 0, 3, 3, below(words)};
        const float scale = pick({1.f, 24.f, 0.37f});
        Array<W> t(table, skip);
        Array<int> i(ids);
        Array<float> out((size_t)rows * d);
        launch(name, kernel, rows, pick({32, 128, 256}), 0, t.p(), i.p(), scale, out.p(), d);
        std::vector<float> expected((size_t)rows * d);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < d; c++) expected[r * d + c] = (float)value(table[ids[r] * d + c]) * scale;
        same("out", out.read(), expected);
    }
}

CASE(embed) {
    embeds("embed_f32", embed_f32);
    embeds("embed_f32_naive", embed_f32_naive);
    embeds("embed_bf16", embed_bf16);
    embeds("embed_bf16_naive", embed_bf16_naive);
    embeds("embed_f16", embed_f16);
    embeds("embed_f16_naive", embed_f16_naive);
}

// The conversions themselves, against arithmetic on the host: all 16-bit patterns, and numbers around every rounding edge.
extern "C" __global__ void widen(const unsigned short* in, float* b, float* h) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    b[i] = to_float(bf16{in[i]});
    h[i] = to_float(f16{in[i]});
}
extern "C" __global__ void narrow(const float* in, bf16* b, f16* h) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    b[i] = from_float<bf16>(in[i]);
    h[i] = from_float<f16>(in[i]);
}

CASE(conversions) {
    std::vector<unsigned short> bits(65536);
    std::vector<double> b, h;
    for (int i = 0; i < 65536; i++) {
        bits[i] = (unsigned short)i;
        b.push_back(value(bf16{bits[i]}));
        h.push_back(value(f16{bits[i]}));
    }
    Array<unsigned short> in(bits);
    Array<float> wideB(65536), wideH(65536);
    LAUNCH(widen, 64, 1024, 0, in.p(), wideB.p(), wideH.p());
    close("bf16 to float", wideB.read(), b, 0, 0);
    close("f16 to float", wideH.read(), h, 0, 0);

    std::vector<float> numbers;
    while (numbers.size() < 8192) {
        const unsigned short u = (unsigned short)below(65536);
        for (double low : {value(bf16{u}), value(f16{u})}) {
            const double next = low == value(f16{u}) ? value(f16{(unsigned short)(u + 1)}) : value(bf16{(unsigned short)(u + 1)});
            if (!std::isfinite(low) || !std::isfinite(next) || u == 0x7fff || u == 0xffff) continue;
            const float middle = (float)((low + next) / 2);
            numbers.insert(numbers.end(), {(float)low, middle, std::nextafter(middle, 1e30f), std::nextafter(middle, -1e30f)});
        }
    }
    numbers.resize(8192);
    Array<float> from(numbers);
    Array<bf16> toB(8192);
    Array<f16> toH(8192);
    LAUNCH(narrow, 8, 1024, 0, from.p(), toB.p(), toH.p());
    same("float to bf16", toB.read(), rounded_all<bf16>(numbers));
    same("float to f16", toH.read(), rounded_all<f16>(numbers));
    const float odd[4] = {NAN, INFINITY, -INFINITY, -0.f};
    Array<float> special(std::vector<float>(odd, odd + 4));
    Array<bf16> sb(4);
    Array<f16> sh(4);
    LAUNCH(narrow, 1, 4, 0, special.p(), sb.p(), sh.p());
    close("special to bf16", sb.read(), {NAN, INFINITY, -INFINITY, -0.0}, 0, 0);
    close("special to f16", sh.read(), {NAN, INFINITY, -INFINITY, -0.0}, 0, 0);
}
