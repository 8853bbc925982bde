// Stacks that take turns in one thread, switched without a system call: a block of a kernel switches thousands of times.
#ifndef TILLER_SIMT_FIBER_H  // by name: copies of this file may be reached over two paths
#define TILLER_SIMT_FIBER_H
#include <cstddef>
#include <cstdint>
#if !defined(__x86_64__)
#include <csetjmp>
#include <ucontext.h>
#endif

namespace simt {
#if defined(__x86_64__)
struct Context {
    void* top;  // of its stack, where the registers that a call preserves lie, and above them where it goes on
};

__attribute__((naked, noinline)) inline void swap_stacks(void** /* from */, void* /* to */) {
    asm("pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
        "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
        "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret");
}

// Keeps where the caller is in `from` and goes on where `to` was.
inline void swap(Context& from, Context& to) { swap_stacks(&from.top, to.top); }

// The first swap to it calls fn, which must not return.
inline void prepare(Context& c, char* stack, size_t bytes, void (*fn)()) {
    void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t{15});
    *--top = nullptr;  // the return address of fn, which also aligns its stack as a call does
    *--top = reinterpret_cast<void*>(fn);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    c.top = top;
}
#else
// Entered with makecontext, which costs system calls, and switched with _setjmp and _longjmp, which do not.
struct Context {
    ucontext_t first;
    jmp_buf at;
    bool entered;
};

inline void swap(Context& from, Context& to) {
    from.entered = true;
    if (_setjmp(from.at)) return;
    if (to.entered) _longjmp(to.at, 1);
    setcontext(&to.first);
}

inline void prepare(Context& c, char* stack, size_t bytes, void (*fn)()) {
    getcontext(&c.first);
    c.first.uc_stack.ss_sp = stack;
    c.first.uc_stack.ss_size = bytes;
    c.first.uc_link = nullptr;
    makecontext(&c.first, fn, 0);
    c.entered = false;
}
#endif
}  // namespace simt
#endif
