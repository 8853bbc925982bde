// What the kernel tests share. Under g++ kernels run by the SIMT header on the CPU; nvcc makes of the same file a program for
// a GPU, to be run under compute-sanitizer. Each case counts what it checks; the last line is "N passed, N failed".
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "simt/cuda_cpu.h"
#endif
#include "common.cuh"

namespace test {
inline int passed, failed;
inline std::string at;  // names the case that runs
inline std::mt19937_64 random_bits;

// Counts a check; prints the first few that fail.
inline bool check(bool ok, const char* format, ...) {
    ok ? passed++ : failed++;
    if (ok || failed > 20) return ok;
    printf("FAILED %s: ", at.c_str());
    va_list a;
    va_start(a, format);
    vprintf(format, a);
    va_end(a);
    printf("\n");
    return ok;
}

inline std::string text(const char* format, ...) {
    char b[400];
    va_list a;
    va_start(a, format);
    vsnprintf(b, sizeof b, format, a);
    va_end(a);
    return b;
}

// ---- numbers ----

inline int below(int n) { return (int)(random_bits() % (uint64_t)n); }
inline bool coin() { return below(2) == 0; }
template <class T>
T pick(std::initializer_list<T> l) {
    return l.begin()[below((int)l.size())];
}
inline double uniform() { return (double)(random_bits() >> 11) * 0x1p-53; }
inline float normal() { return std::normal_distribution<float>()(random_bits); }

inline std::vector<float> normals(size_t n, float scale = 1) {
    std::vector<float> v(n);
    for (float& x : v) x = normal() * scale;
    return v;
}

// On the host, and so not through the conversions under test.
inline double value(float v) { return v; }
inline double value(bf16 v) {
    uint32_t u = (uint32_t)v.bits << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline double value(f16 v) {
    const int exponent = v.bits >> 10 & 31, fraction = v.bits & 1023;
    const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    return v.bits >> 15 ? -size : size;
}

template <class T>
T rounded(float v);
template <>
inline float rounded<float>(float v) { return v; }
template <>
inline bf16 rounded<bf16>(float v) {
    uint32_t u;
    memcpy(&u, &v, 4);
    return bf16{(unsigned short)((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}
template <>
inline f16 rounded<f16>(float v) {  // by nearest even on the grid of the exponent
    int e;
    std::frexp(v, &e);
    const int shift = std::max(e - 11, -24);
    const double n = std::nearbyint(std::ldexp((double)std::fabs(v), -shift));
    unsigned bits;
    if (std::ldexp(n, shift) >= 65520) bits = 0x7c00;
    else if (shift == -24) bits = (unsigned)n;  // also the smallest normal ones
    else bits = (unsigned)((shift + 24) << 10) + (unsigned)n;
    return f16{(unsigned short)(bits | (std::signbit(v) ? 0x8000u : 0u))};
}
template <class T>
std::vector<T> rounded_all(const std::vector<float>& v) {
    std::vector<T> r(v.size());
    for (size_t i = 0; i < v.size(); i++) r[i] = rounded<T>(v[i]);
    return r;
}

// Half a unit in the last place, relative.
inline double unit(float) { return 0x1p-24; }
inline double unit(bf16) { return 0x1p-8; }
inline double unit(f16) { return 0x1p-11; }
inline const char* type_name(float) { return "f32"; }
inline const char* type_name(bf16) { return "bf16"; }
inline const char* type_name(f16) { return "f16"; }

// ---- memory of the device, with guard zones; poisoned (NaN) where not written ----

#ifdef __SANITIZE_ADDRESS__
constexpr size_t GUARD = 0;  // AddressSanitizer sees more than a zone does
#else
constexpr size_t GUARD = 256;
#endif

// How often to repeat a random case: less under AddressSanitizer, which is slow and need not see every number.
inline int often(int n) {
#ifdef __SANITIZE_ADDRESS__
    return (n + 3) / 4;
#else
    return n;
#endif
}

inline void cuda(int code, const char* what) {
    if (code == 0) return;
    printf("%s: CUDA error %d in %s\n0 passed, 1 failed\n", at.c_str(), code, what);
    exit(1);
}

template <class T>
class Array {
    size_t n;
    size_t skip;  // numbers before the first: to have an address that is not a multiple of 16
    unsigned char* base;

    size_t bytes() const { return (skip + n) * sizeof(T) + 2 * GUARD; }

#ifdef __CUDACC__
    void allocate() { cuda(cudaMalloc((void**)&base, bytes()), "cudaMalloc"); }
    void release() { cuda(cudaFree(base), "cudaFree"); }
    void put(const void* from) { cuda(cudaMemcpy(base, from, bytes(), cudaMemcpyHostToDevice), "cudaMemcpy"); }
    void get(void* to) const { cuda(cudaMemcpy(to, base, bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy"); }
#else
    void allocate() { base = static_cast<unsigned char*>(malloc(bytes() + (bytes() == 0))); }
    void release() { free(base); }
    void put(const void* from) { memcpy(base, from, bytes()); }
    void get(void* to) const { memcpy(to, base, bytes()); }
#endif

    void fill(const T* values) {
        std::vector<unsigned char> all(bytes(), 0xff);
        if (values && n) memcpy(all.data() + GUARD + skip * sizeof(T), values, n * sizeof(T));
        if (bytes()) put(all.data());
    }

public:
    explicit Array(size_t n, size_t skip = 0) : n(n), skip(skip) {
        allocate();
        fill(nullptr);
    }
    explicit Array(const std::vector<T>& v, size_t skip = 0) : n(v.size()), skip(skip) {
        allocate();
        fill(v.data());
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
        read();
        release();
    }

    T* p() const { return reinterpret_cast<T*>(base + GUARD) + skip; }
    size_t size() const { return n; }

    // The numbers; also checks that nothing was written around them.
    std::vector<T> read() const {
        std::vector<unsigned char> all(bytes());
        if (bytes()) get(all.data());
        size_t wrong = 0;
        for (size_t i = 0; i < GUARD + skip * sizeof(T); i++) wrong += all[i] != 0xff;
        for (size_t i = all.size() - GUARD; i < all.size(); i++) wrong += all[i] != 0xff;
        if (wrong) check(false, "%zu bytes written around an array of %zu", wrong, n);
        std::vector<T> v(n);
        if (n) memcpy((void*)v.data(), all.data() + GUARD + skip * sizeof(T), n * sizeof(T));
        return v;
    }
};

// ---- launch ----

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A... a) {
#ifdef __CUDACC__
    if (shared > 48 << 10)
        cuda(cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared), name);
    kernel<<<grid, block, shared>>>(a...);
    cuda(cudaGetLastError(), name);
    cuda(cudaDeviceSynchronize(), name);
#else
    simt::launch(grid, block, shared, [=] { kernel(a...); }, name);
#endif
}
#define LAUNCH(kernel, grid, block, shared, ...) test::launch(#kernel, kernel, grid, block, shared, __VA_ARGS__)

// ---- comparisons ----

// |actual - expected| <= relative * |expected| + absolute for every element; NaN only where NaN is expected. One check.
template <class T>
bool close(const char* what, const std::vector<T>& actual, const std::vector<double>& expected, double relative,
           double absolute) {
    if (actual.size() != expected.size())
        return check(false, "%s: %zu elements, expected %zu", what, actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); i++) {
        const double a = value(actual[i]), e = expected[i];
        const bool same = std::isnan(e) ? std::isnan(a) : a == e || std::fabs(a - e) <= relative * std::fabs(e) + absolute;
        if (!same) return check(false, "%s[%zu] is %.9g, expected %.9g", what, i, a, e);
    }
    return check(true, "");
}

// Bit for bit. One check.
template <class T>
bool same(const char* what, const std::vector<T>& actual, const std::vector<T>& expected) {
    if (actual.size() != expected.size())
        return check(false, "%s: %zu elements, expected %zu", what, actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); i++)
        if (memcmp(&actual[i], &expected[i], sizeof(T)) != 0) return check(false, "%s[%zu] has other bits", what, i);
    return check(true, "");
}

// ---- cases ----

struct Case {
    const char* name;
    void (*run)();
};
inline std::vector<Case>& cases() {
    static std::vector<Case> c;
    return c;
}
struct Register {
    Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};
}  // namespace test

#define CASE(name)                                           \
    static void case_##name();                               \
    static test::Register register_##name(#name, case_##name); \
    static void case_##name()

// SIMT_SEED also varies the numbers.
int main() {
    const char* seed = getenv("SIMT_SEED");
    for (const test::Case& c : test::cases()) {
        test::at = c.name;
        test::random_bits.seed(seed ? strtoull(seed, nullptr, 10) : 0);
        c.run();
    }
    printf("%d passed, %d failed\n", test::passed, test::failed);
    return test::failed != 0;
}
