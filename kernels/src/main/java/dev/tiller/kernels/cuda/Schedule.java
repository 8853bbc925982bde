package dev.tiller.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/** Tells the emulated device in which order it is to run threads: by the environment, which it reads at each launch. */
final class Schedule {
    private static final String VARIABLE = "SIMT_SEED";

    private Schedule() {}

    /** @param seed 0 for the plain order */
    @SuppressWarnings("restricted") // two calls of the C library
    static void set(int seed) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        FunctionDescriptor oneText = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS);
        FunctionDescriptor twoTexts = FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(VARIABLE);
            int status = seed == 0
                    ? (int) linker.downcallHandle(library.findOrThrow("unsetenv"), oneText)
                            .invokeExact(name)
                    : (int) linker.downcallHandle(library.findOrThrow("setenv"), twoTexts)
                            .invokeExact(name, arena.allocateFrom(Integer.toString(seed)), 1);
            if (status != 0) {
                throw new IllegalStateException("cannot set " + VARIABLE);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
