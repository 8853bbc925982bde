// The emulated driver's state: device memory and streams. Part of fakecuda.cpp.
#pragma once
#include "kernel_table.h"
#include <dirent.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <time.h>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))
typedef int Status;
typedef unsigned long long Address;
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    LAUNCH_FAILED = 719,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901
};

static std::recursive_mutex lock;
#define LOCKED std::lock_guard<std::recursive_mutex> hold(lock)
static bool initialised;
static int contexts;
static Status sticky;  // an error of a kernel stays until the context is gone, as on a GPU
static thread_local bool current;

static long long environment(const char* name, long long otherwise) {
    const char* v = getenv(name);
    return v && *v ? atoll(v) : otherwise;
}
static Status broken(Status status, const char* what) {
    fprintf(stderr, "fake driver: %s\n", what);
    return status;
}
#define NEED_INIT \
    LOCKED;       \
    if (!initialised) return NOT_INITIALIZED
#define NEED_CONTEXT                                                                        \
    NEED_INIT;                                                                              \
    if (!current) return broken(INVALID_CONTEXT, "a call from a thread without a context"); \
    if (sticky) return sticky

// ---- memory ----

static const size_t PAGE = 4096;
static const size_t ARENA = 8ull << 40;  // addresses only: a kernel that goes astray stays in it and meets no memory of Java's
static const size_t GAP = 16 << 20;      // forbidden, between allocations
static const size_t POISONED = 64 << 20;  // a larger allocation is poisoned at both ends only: pages that are touched cost memory
static const unsigned char SLACK = 0xa5;  // between the end of an allocation and the forbidden page behind it
struct Block {
    size_t bytes;
    char* pages;
    size_t mapped;
};
static std::map<Address, Block> blocks;
static std::map<Address, size_t> pinned;
static size_t used;

static size_t capacity() { return environment("FAKE_CUDA_MEMORY", 8ll << 30); }

static bool on_device(Address p, size_t n) {
    auto i = blocks.upper_bound(p);
    return i != blocks.begin() && (--i, p + n <= i->first + i->second.bytes);
}
static bool is_pinned(const void* host, size_t n) {
    Address p = (Address)host;
    auto i = pinned.upper_bound(p);
    return i != pinned.begin() && (--i, p + n <= i->first + i->second);
}

// Pages that nobody had before: addresses are never given out twice, so whoever uses freed memory is found out.
static char* new_pages(size_t bytes) {
    static char* next;
    static char* end;
    if (!next || next + bytes + GAP > end) {
        void* m = mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (m == MAP_FAILED) return nullptr;
        next = (char*)m + ARENA / 64;
        end = (char*)m + ARENA - ARENA / 64;
    }
    char* p = next;
    next += bytes + GAP;
    return mprotect(p, bytes, PROT_READ | PROT_WRITE) ? nullptr : p;
}

static Status allocate(Address* out, size_t n) {
    if (!n) return INVALID_VALUE;
    if (n > capacity() || used + n > capacity()) return OUT_OF_MEMORY;
    size_t whole = (n + 255) / 256 * 256;  // addresses are multiples of 256; the end lies as near to the gap as that allows
    size_t mapped = (whole + PAGE - 1) / PAGE * PAGE;
    char* pages = new_pages(mapped);
    if (!pages) return OUT_OF_MEMORY;
    char* p = pages + mapped - whole;
    memset(p, 0xff, n < POISONED ? n : POISONED);
    if (n > POISONED) memset(p + n - PAGE, 0xff, PAGE);
    memset(p + n, SLACK, whole - n);
    blocks[(Address)p] = Block{n, pages, mapped};
    used += n;
    *out = (Address)p;
    return SUCCESS;
}

static bool slack_intact(Address p, const Block& b) {
    for (const char* i = (const char*)p + b.bytes; i < b.pages + b.mapped; i++)
        if ((unsigned char)*i != SLACK) return false;
    return true;
}

static Status release(Address p) {
    if (!p) return SUCCESS;
    auto i = blocks.find(p);
    if (i == blocks.end()) return broken(INVALID_VALUE, "memory freed that is not allocated");
    bool intact = slack_intact(p, i->second);
    madvise(i->second.pages, i->second.mapped, MADV_DONTNEED);
    mprotect(i->second.pages, i->second.mapped, PROT_NONE);
    used -= i->second.bytes;
    blocks.erase(i);
    if (!intact) return sticky = broken(ILLEGAL_ADDRESS, "a kernel wrote behind the end of an allocation");
    return SUCCESS;
}

// ---- streams: queues of work ----

typedef std::function<Status()> Work;
struct Event {
    long long recorded = 0, reached = 0;
    bool asked = false;
    double millis = 0;
    struct Stream* stream = nullptr;
};
struct Graph {
    std::vector<Work> work;
    bool spoiled = false;
};
struct Stream {
    std::deque<Work> queue;
    std::unique_ptr<Graph> capture;
};
static std::map<Stream*, std::unique_ptr<Stream>> streams;
static Stream legacy;  // what calls without a stream use; streams here do not wait for it, nor it for them

static Stream* stream_of(void* s) {
    if (!s) return &legacy;
    auto i = streams.find((Stream*)s);
    return i == streams.end() ? nullptr : i->second.get();
}

static Status step(Stream* s) {
    Work w = std::move(s->queue.front());
    s->queue.pop_front();
    Status status = w();
    if (status) sticky = status;
    return sticky;
}
static Status drain(Stream* s) {
    while (!sticky && !s->queue.empty()) step(s);
    return sticky;
}
static Status drain_all() {
    drain(&legacy);
    for (auto& s : streams) drain(s.second.get());
    return sticky;
}

static Status enqueue(void* handle, Work w) {
    Stream* s = stream_of(handle);
    if (!s) return broken(INVALID_HANDLE, "an unknown stream");
    if (s->capture) {
        s->capture->work.push_back(std::move(w));
        return SUCCESS;
    }
    s->queue.push_back(std::move(w));
    static const bool eager = environment("FAKE_CUDA_EAGER", 0);
    return eager || s == &legacy || s->queue.size() > 100000 ? drain(s) : sticky;
}
// for libcublas: work that reads and writes device memory
API Status fake_enqueue(void* stream, const Work& w) {
    NEED_CONTEXT;
    return enqueue(stream, w);
}
API bool fake_on_device(Address p, size_t n) {
    LOCKED;
    return on_device(p, n);
}
API bool fake_has_context() { return current; }

static Status spoil(Stream* s) {
    s->capture->spoiled = true;
    return broken(CAPTURE_UNSUPPORTED, "waiting for a stream while its work is being captured");
}
