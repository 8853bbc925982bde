// libcuda.so.1 for machines without a GPU: device memory is main memory, kernels run in the emulation (../cuda_cpu.h).
// It is meaner than a GPU where that helps tests:
//   - nothing on a stream runs before somebody waits for it, so results read too early and buffers reused too early show;
//     FAKE_CUDA_EAGER=1 runs everything at once instead
//   - new memory holds 0xff bytes (NaN); freed memory and what lies around an allocation cannot be touched
//   - copies and kernel arguments are checked against what is allocated, threads for their context
// Environment: FAKE_CUDA_MEMORY  bytes of the device (8 GiB)     FAKE_CUDA_CAPABILITY  compute capability times ten (90)
//              FAKE_CUDA_DEVICES 0 for a driver without a device  SIMT_SEED             another order of threads
#include "driver_core.h"
#include "driver_memory.h"
#include "driver_modules.h"
#include "driver_streams.h"

// ---- start, device, context ----

API Status cuInit(unsigned) {
    LOCKED;
    if (!environment("FAKE_CUDA_DEVICES", 1)) return NO_DEVICE;
    initialised = true;
    return SUCCESS;
}
API Status cuDriverGetVersion(int* v) {
    *v = 13000;
    return SUCCESS;
}
API Status cuDeviceGetCount(int* n) {
    NEED_INIT;
    *n = 1;
    return SUCCESS;
}
API Status cuDeviceGet(int* d, int ordinal) {
    NEED_INIT;
    *d = 0;
    return ordinal ? INVALID_DEVICE : SUCCESS;
}
API Status cuDeviceGetName(char* s, int n, int) {
    NEED_INIT;
    snprintf(s, n, "emulated GPU on the CPU");
    return SUCCESS;
}
API Status cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = capacity();
    return SUCCESS;
}
API Status cuDeviceGetAttribute(int* v, int which, int) {
    NEED_INIT;
    int capability = environment("FAKE_CUDA_CAPABILITY", 90);
    switch (which) {  // as an H200 has them
        case 1: *v = 1024; break;                  // threads per block
        case 8: *v = 48 << 10; break;              // shared memory per block
        case 10: *v = 32; break;                   // warp
        case 16: *v = 132; break;                  // multiprocessors
        case 38: *v = 60 << 20; break;             // L2 bytes
        case 39: *v = 2048; break;                 // threads per multiprocessor
        case 75: *v = capability / 10; break;
        case 76: *v = capability % 10; break;
        case 81: *v = 233472; break;               // shared memory per multiprocessor
        case 97: *v = 232448; break;               // shared memory per block when asked for
        default: *v = 0;
    }
    return SUCCESS;
}
API Status cuDevicePrimaryCtxRetain(void** c, int) {
    NEED_INIT;
    static int context;
    contexts++;
    *c = &context;
    return SUCCESS;
}
API Status cuDevicePrimaryCtxRelease_v2(int) {
    NEED_INIT;
    if (contexts == 0) return INVALID_CONTEXT;
    if (--contexts > 0) return SUCCESS;
    drain_all();
    Status status = sticky;
    if (!blocks.empty()) fprintf(stderr, "fake driver: %zu bytes in %zu allocations were not freed\n", used, blocks.size());
    while (!blocks.empty()) release(blocks.begin()->first);
    streams.clear();
    sticky = SUCCESS;
    current = false;
    return status;
}
API Status cuCtxSetCurrent(void* c) {
    NEED_INIT;
    if (c && contexts == 0) return INVALID_CONTEXT;
    current = c != nullptr;
    return SUCCESS;
}
API Status cuCtxSynchronize() {
    NEED_CONTEXT;
    return drain_all();
}

// ---- what other libraries of CUDA ask for: NVRTC takes this function for granted ----

API Status cuGetExportTable(const void** table, const void*) {
    *table = nullptr;
    return NOT_FOUND;
}

// ---- texts ----

API Status cuGetErrorString(int status, const char** s) {
    static const std::map<int, const char*> texts = {{SUCCESS, "no error"},
                                                     {INVALID_VALUE, "invalid argument"},
                                                     {OUT_OF_MEMORY, "out of memory"},
                                                     {NO_DEVICE, "no CUDA-capable device is detected"},
                                                     {INVALID_CONTEXT, "invalid device context"},
                                                     {INVALID_PTX, "a PTX JIT compilation failed"},
                                                     {ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
                                                     {LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"},
                                                     {LAUNCH_FAILED, "unspecified launch failure"},
                                                     {CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"}};
    auto i = texts.find(status);
    *s = i == texts.end() ? "error of the emulated driver" : i->second;
    return SUCCESS;
}
API Status cuGetErrorName(int, const char** s) {
    *s = "CUDA_ERROR";
    return SUCCESS;
}
