// Calls for memory and copies. Part of fakecuda.cpp.
#pragma once
#include "driver_core.h"

API Status cuMemGetInfo_v2(size_t* free, size_t* total) {
    NEED_CONTEXT;
    *total = capacity();
    *free = capacity() - used;
    return SUCCESS;
}
API Status cuMemAlloc_v2(Address* p, size_t n) {
    NEED_CONTEXT;
    return allocate(p, n);
}
API Status cuMemFree_v2(Address p) {
    NEED_CONTEXT;
    if (Status s = drain_all()) return s;
    return release(p);
}
API Status cuMemHostAlloc(void** p, size_t n, unsigned) {
    NEED_CONTEXT;
    if (posix_memalign(p, PAGE, n)) return OUT_OF_MEMORY;
    memset(*p, 0xff, n < POISONED ? n : POISONED);
    pinned[(Address)*p] = n;
    return SUCCESS;
}
API Status cuMemAllocHost_v2(void** p, size_t n) { return cuMemHostAlloc(p, n, 0); }
API Status cuMemFreeHost(void* p) {
    NEED_CONTEXT;
    if (!pinned.erase((Address)p)) return INVALID_VALUE;
    free(p);
    return SUCCESS;
}
API Status cuMemHostRegister_v2(void* p, size_t n, unsigned) {
    NEED_CONTEXT;
    pinned[(Address)p] = n;
    return SUCCESS;
}
API Status cuMemHostUnregister(void* p) {
    NEED_CONTEXT;
    return pinned.erase((Address)p) ? SUCCESS : INVALID_VALUE;
}

static bool capturing(void* stream) {
    Stream* s = stream_of(stream);
    return s && s->capture;
}
API Status cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t n, void* stream) {
    NEED_CONTEXT;
    if (!on_device(to, n)) return broken(INVALID_VALUE, "a copy to memory that is not allocated");
    if (is_pinned(from, n)) {
        return enqueue(stream, [=] {
            if (!on_device(to, n)) return broken(ILLEGAL_ADDRESS, "a copy to memory that was freed before it ran");
            memcpy((void*)to, from, n);
            return (Status)SUCCESS;
        });
    }
    if (capturing(stream)) return broken(CAPTURE_UNSUPPORTED, "a captured copy from memory that is not pinned");
    auto staged = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + n);
    return enqueue(stream, [=] {
        if (!on_device(to, n)) return broken(ILLEGAL_ADDRESS, "a copy to memory that was freed before it ran");
        memcpy((void*)to, staged->data(), n);
        return (Status)SUCCESS;
    });
}
API Status cuMemcpyDtoHAsync_v2(void* to, Address from, size_t n, void* stream) {
    NEED_CONTEXT;
    if (!on_device(from, n)) return broken(INVALID_VALUE, "a copy from memory that is not allocated");
    bool wait = !is_pinned(to, n);
    if (wait && capturing(stream)) return broken(CAPTURE_UNSUPPORTED, "a captured copy to memory that is not pinned");
    Status status = enqueue(stream, [=] {
        if (!on_device(from, n)) return broken(ILLEGAL_ADDRESS, "a copy from memory that was freed before it ran");
        memcpy(to, (void*)from, n);
        return (Status)SUCCESS;
    });
    return status || !wait ? status : drain(stream_of(stream));
}
API Status cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, void* stream) {
    NEED_CONTEXT;
    if (!on_device(from, n) || !on_device(to, n)) return broken(INVALID_VALUE, "a copy between places that are not allocated");
    if (from < to + n && to < from + n && n) return broken(INVALID_VALUE, "a copy between places that overlap");
    return enqueue(stream, [=] {
        memcpy((void*)to, (void*)from, n);
        return (Status)SUCCESS;
    });
}
API Status cuMemcpyHtoD_v2(Address to, const void* from, size_t n) { return cuMemcpyHtoDAsync_v2(to, from, n, nullptr); }
API Status cuMemcpyDtoH_v2(void* to, Address from, size_t n) { return cuMemcpyDtoHAsync_v2(to, from, n, nullptr); }
API Status cuMemcpyDtoD_v2(Address to, Address from, size_t n) { return cuMemcpyDtoDAsync_v2(to, from, n, nullptr); }

template <class T>
static Status fill(Address to, T value, size_t n, void* stream) {
    NEED_CONTEXT;
    if (!on_device(to, n * sizeof(T))) return broken(INVALID_VALUE, "memory filled that is not allocated");
    return enqueue(stream, [=] {
        std::fill_n((T*)to, n, value);
        return (Status)SUCCESS;
    });
}
API Status cuMemsetD8Async(Address p, unsigned char v, size_t n, void* s) { return fill(p, v, n, s); }
API Status cuMemsetD16Async(Address p, unsigned short v, size_t n, void* s) { return fill(p, v, n, s); }
API Status cuMemsetD32Async(Address p, unsigned v, size_t n, void* s) { return fill(p, v, n, s); }
API Status cuMemsetD8_v2(Address p, unsigned char v, size_t n) { return fill(p, v, n, nullptr); }
API Status cuMemsetD16_v2(Address p, unsigned short v, size_t n) { return fill(p, v, n, nullptr); }
API Status cuMemsetD32_v2(Address p, unsigned v, size_t n) { return fill(p, v, n, nullptr); }
