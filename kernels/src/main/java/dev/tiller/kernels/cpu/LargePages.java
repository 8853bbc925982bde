package dev.tiller.kernels.cpu;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Asks Linux for large pages: with pages of 4 KiB the processor looks up a page for every 64 lines that it reads, and
 * fetches ahead no further than to the end of one. Only a request; where it cannot be made or is refused, nothing changes.
 */
final class LargePages {
    /** Bytes of a large page. */
    static final long PAGE = 2L << 20;

    private static final int MADV_HUGEPAGE = 14;

    /** {@code int madvise(void *, size_t, int)}, or null. */
    private static final MethodHandle ADVISE = advise();

    private LargePages() {}

    @SuppressWarnings("restricted") // a call of the C library
    private static MethodHandle advise() {
        if (!System.getProperty("os.name").equals("Linux")
                || !LargePages.class.getModule().isNativeAccessEnabled()) {
            return null;
        }
        try {
            Linker linker = Linker.nativeLinker();
            FunctionDescriptor type = FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
            return linker.defaultLookup()
                    .find("madvise")
                    .map(f -> linker.downcallHandle(f, type))
                    .orElse(null);
        } catch (RuntimeException | LinkageError e) {
            return null; // no linker for this platform
        }
    }

    /** Asks for large pages for memory that nobody has written to yet, as far as it consists of whole ones. */
    static void ask(MemorySegment memory) {
        long begin = Math.ceilDiv(memory.address(), PAGE) * PAGE;
        long bytes = (memory.address() + memory.byteSize()) / PAGE * PAGE - begin;
        if (ADVISE == null || bytes <= 0) {
            return;
        }
        try {
            int refused = (int) ADVISE.invokeExact(MemorySegment.ofAddress(begin), bytes, MADV_HUGEPAGE);
            assert refused <= 0; // -1 where the system has no large pages
        } catch (Throwable e) {
            throw new IllegalStateException("madvise", e);
        }
    }
}
