// libcublas for machines without a GPU: the entry points that the backend uses, column-major, summed in float32.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))
typedef unsigned long long Address;
enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68 };

extern "C" int fake_enqueue(void* stream, const std::function<int()>& work);
extern "C" bool fake_on_device(Address p, size_t n);
extern "C" bool fake_has_context();

struct Handle {
    void* stream;
    int math, pointerMode;
};

static bool known(int type) { return type == R_32F || type == R_16F || type == R_16BF; }
static size_t size_of(int type) { return type == R_32F ? 4 : 2; }

static float load(const void* p, int type, size_t i) {
    if (type == R_32F) return static_cast<const float*>(p)[i];
    uint16_t bits = static_cast<const uint16_t*>(p)[i];
    if (type == R_16F) {
        _Float16 h;
        memcpy(&h, &bits, 2);
        return h;
    }
    uint32_t u = static_cast<uint32_t>(bits) << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static void store(void* p, int type, size_t i, float f) {
    if (type == R_32F) {
        static_cast<float*>(p)[i] = f;
        return;
    }
    uint16_t bits;
    if (type == R_16F) {
        _Float16 h = static_cast<_Float16>(f);
        memcpy(&bits, &h, 2);
    } else {
        uint32_t u;
        memcpy(&u, &f, 4);
        bits = (u & 0x7fffffffu) > 0x7f800000u ? 0x7fff : (u + 0x7fffu + (u >> 16 & 1)) >> 16;
    }
    static_cast<uint16_t*>(p)[i] = bits;
}

// One of the inputs as rows of k numbers each, whatever way it lies.
struct Rows {
    std::vector<float> values;
    const float* at;
    size_t stride;
    Rows(const void* p, int type, size_t rows, size_t k, size_t ld, bool along) {
        if (along && type == R_32F) {
            at = static_cast<const float*>(p);
            stride = ld;
            return;
        }
        values.resize(rows * k);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < k; i++) values[r * k + i] = load(p, type, along ? r * ld + i : i * ld + r);
        at = values.data();
        stride = k;
    }
};

static float dot(const float* a, const float* b, size_t k) {
    float lanes[16] = {};
    size_t i = 0;
    for (; i + 16 <= k; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += a[i + j] * b[i + j];
    float s = 0;
    for (; i < k; i++) s += a[i] * b[i];
    for (int j = 0; j < 16; j++) s += lanes[j];
    return s;
}

struct Gemm {
    int ta, tb, m, n, k;
    float alpha, beta;
    const void* a;
    int at, lda;
    const void* b;
    int bt, ldb;
    void* c;
    int ct, ldc;

    static bool covers(const void* p, int type, size_t columns, size_t ld, size_t rows) {
        return !columns || !rows || fake_on_device((Address)p, ((columns - 1) * ld + rows) * size_of(type));
    }
    int check() const {
        if (!known(at) || at != bt || !(ct == R_32F || ct == at)) return NOT_SUPPORTED;
        if (m < 0 || n < 0 || k < 0 || ldc < (m > 1 ? m : 1) || lda < (ta ? k : m) || ldb < (tb ? n : k)) return INVALID_VALUE;
        bool ok = covers(a, at, ta ? m : k, lda, ta ? k : m) && covers(b, bt, tb ? k : n, ldb, tb ? n : k) && covers(c, ct, n, ldc, m);
        if (!ok) fprintf(stderr, "fake cuBLAS: a matrix that lies outside of what is allocated\n");
        return ok ? SUCCESS : EXECUTION_FAILED;
    }
    int run() const {
        if (check()) return 700;
        Rows left(a, at, m, k, lda, ta), right(b, bt, n, k, ldb, !tb);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                float s = alpha * dot(left.at + i * left.stride, right.at + j * right.stride, k);
                size_t o = (size_t)j * ldc + i;
                store(c, ct, o, beta == 0 ? s : s + beta * load(c, ct, o));  // with beta 0 what lies there is not read
            }
        return 0;
    }
};

static int submit(Handle* h, const Gemm& g) {
    if (!h || !fake_has_context()) return NOT_INITIALIZED;
    if (int status = g.check()) return status;
    return fake_enqueue(h->stream, [g] { return g.run(); }) ? EXECUTION_FAILED : SUCCESS;
}

API int cublasCreate_v2(Handle** h) {
    if (!fake_has_context()) return NOT_INITIALIZED;
    *h = new Handle{};
    return SUCCESS;
}
API int cublasDestroy_v2(Handle* h) {
    delete h;
    return SUCCESS;
}
API int cublasSetStream_v2(Handle* h, void* s) { return h ? (h->stream = s, SUCCESS) : NOT_INITIALIZED; }
API int cublasSetMathMode(Handle* h, int m) { return h ? (h->math = m, SUCCESS) : NOT_INITIALIZED; }
API int cublasGetMathMode(Handle* h, int* m) { return h ? (*m = h->math, SUCCESS) : NOT_INITIALIZED; }
API int cublasSetPointerMode_v2(Handle* h, int m) { return h ? (h->pointerMode = m, SUCCESS) : NOT_INITIALIZED; }
API int cublasSetWorkspace_v2(Handle* h, void* p, size_t n) {
    return !h ? NOT_INITIALIZED : fake_on_device((Address)p, n) ? SUCCESS : INVALID_VALUE;
}
API int cublasGetVersion_v2(Handle*, int* v) {
    *v = FAKE_MAJOR * 10000 + 101;
    return SUCCESS;
}
API int cublasGemmEx(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const void* a, int at, int lda, const void* b,
                     int bt, int ldb, const float* beta, void* c, int ct, int ldc, int compute, int) {
    if (compute != COMPUTE_32F) return NOT_SUPPORTED;
    return submit(h, Gemm{ta, tb, m, n, k, *alpha, *beta, a, at, lda, b, bt, ldb, c, ct, ldc});
}
API int cublasSgemm_v2(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b,
                       int ldb, const float* beta, float* c, int ldc) {
    return submit(h, Gemm{ta, tb, m, n, k, *alpha, *beta, a, R_32F, lda, b, R_32F, ldb, c, R_32F, ldc});
}
API int cublasGemmStridedBatchedEx(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const char* a, int at, int lda,
                                   long long sa, const char* b, int bt, int ldb, long long sb, const float* beta, char* c, int ct,
                                   int ldc, long long sc, int batch, int compute, int) {
    if (compute != COMPUTE_32F) return NOT_SUPPORTED;
    for (int i = 0; i < batch; i++) {
        Gemm g{ta, tb, m, n, k, *alpha, *beta, a + i * sa * size_of(at), at, lda, b + i * sb * size_of(bt), bt, ldb,
               c + i * sc * size_of(ct), ct, ldc};
        if (int status = submit(h, g)) return status;
    }
    return SUCCESS;
}
