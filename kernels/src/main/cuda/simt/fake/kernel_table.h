// How the CPU-backed driver sees kernels: each .cu file is a library of its own, since files may use the same names for
// different helpers, and hands over a table of its entries. build.sh includes this before the .cu file.
//
// A kernel that breaks a rule of the emulation, or reads where no memory is, ends as a failed launch and not the process.
#pragma once
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

struct SimtKernel {
    const char* name;
    const char* kinds;             // a letter per parameter: p pointer, l and i whole numbers of 64 and 32 bits, f, d, ? other
    void* (*bind)(void** params);  // copies the values, as cuLaunchKernel does
    void (*unbind)(void* bound);
    int (*run)(void* bound, const unsigned* grid, const unsigned* block, size_t shared, const char* name);  // a CUresult
};

namespace simt_guard {
enum { ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719 };
inline thread_local jmp_buf back;
inline thread_local volatile bool armed;
inline thread_local void* volatile fault;
inline struct sigaction before[2];

[[noreturn]] inline void fail() {  // stands in for abort() in the emulation
    if (!armed) std::abort();
    armed = false;
    _longjmp(back, LAUNCH_FAILED);
}

inline void on_fault(int signal, siginfo_t* info, void* context) {
    if (armed) {
        armed = false;
        fault = info->si_addr;
        _longjmp(back, ILLEGAL_ADDRESS);
    }
    const struct sigaction& old = before[signal == SIGBUS];  // Java's own: it uses faults, too
    if (old.sa_flags & SA_SIGINFO) {
        old.sa_sigaction(signal, info, context);
    } else if (old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN) {
        sigaction(signal, &old, nullptr);  // the fault comes again and ends the process
    } else {
        old.sa_handler(signal);
    }
}

inline void install() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction mine = {};
        mine.sa_sigaction = on_fault;
        mine.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART;
        sigaction(SIGSEGV, &mine, &before[0]);
        sigaction(SIGBUS, &mine, &before[1]);
    });
}

template <class Body>
int guarded(const char* name, Body body) {
    install();
    if (int status = _setjmp(back)) {
        if (status == ILLEGAL_ADDRESS) fprintf(stderr, "fake driver: kernel %s touched address %p\n", name, fault);
        return status;
    }
    armed = true;
    body();
    armed = false;
    return 0;
}
}  // namespace simt_guard

#define abort simt_guard_abort
[[noreturn]] inline void simt_guard_abort() { simt_guard::fail(); }
#include "../cuda_cpu.h"
#undef abort

namespace simt_table {
template <class T>
constexpr char kind() {
    if (std::is_pointer<T>::value) return 'p';
    if (std::is_same<T, float>::value) return 'f';
    if (std::is_same<T, double>::value) return 'd';
    if (std::is_integral<T>::value) return sizeof(T) == 8 ? 'l' : sizeof(T) == 4 ? 'i' : '?';
    return '?';
}

template <auto* F>
struct Entry;

template <class... A, void (*F)(A...)>
struct Entry<F> {
    typedef std::tuple<A...> Values;
    static constexpr char kinds[] = {kind<A>()..., 0};

    template <size_t... I>
    static Values* copy(void** params, std::index_sequence<I...>) {
        return new Values(*static_cast<typename std::decay<A>::type*>(params[I])...);
    }
    static void* bind(void** params) { return copy(params, std::index_sequence_for<A...>()); }
    static void unbind(void* bound) { delete static_cast<Values*>(bound); }
    static int run(void* bound, const unsigned* g, const unsigned* b, size_t shared, const char* name) {
        return simt_guard::guarded(name, [&] {
            simt::launch(dim3(g[0], g[1], g[2]), dim3(b[0], b[1], b[2]), shared,
                         [&] { std::apply(F, *static_cast<Values*>(bound)); }, name);
        });
    }
    static constexpr SimtKernel describe(const char* name) { return SimtKernel{name, kinds, bind, unbind, run}; }
};
}  // namespace simt_table

#define SIMT_KERNEL(k) simt_table::Entry<&k>::describe(#k)
