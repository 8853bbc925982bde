package dev.tiller.loader.hub;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;

/**
 * A lock on a file, against other processes and other threads. The Python tools lock with flock(2), which the locks of
 * {@link FileChannel} (POSIX record locks) do not see on Linux and macOS; so there flock is called, and elsewhere, or
 * where native access is not allowed, the channel's lock is taken. Lock files stay: deleting one that others wait for
 * would split them.
 */
final class HubLock implements AutoCloseable {
    private final AutoCloseable held;

    private HubLock(AutoCloseable held) {
        this.held = held;
    }

    /** Takes the lock if it is free; null if somebody has it. */
    static HubLock tryTake(Path file) throws IOException {
        create(file);
        Flock flock = Flock.INSTANCE;
        if (flock != null) {
            try {
                Object before = key(file);
                int descriptor = flock.take(file);
                if (descriptor == Flock.BUSY) {
                    return null;
                }
                AutoCloseable held = () -> flock.release(descriptor);
                if (before == null || !Objects.equals(before, key(file))) {
                    // Deleted or replaced meanwhile: what is locked is not what others look at.
                    close(held);
                    return null;
                }
                return new HubLock(held);
            } catch (UnsupportedOperationException e) {
                // a file system without flock
            }
        }
        return channelLock(file);
    }

    private static void create(Path file) throws IOException {
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)
                .close();
    }

    private static HubLock channelLock(Path file) throws IOException {
        FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
        FileLock lock = null;
        try {
            // The one byte that Python locks on Windows.
            lock = channel.tryLock(0, 1, false);
        } catch (OverlappingFileLockException e) {
            // another thread has it
        } finally {
            if (lock == null) {
                channel.close();
            }
        }
        return lock == null ? null : new HubLock(channel);
    }

    /** What tells a file from another of the same name; null if there is none. */
    private static Object key(Path file) {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                    .fileKey();
        } catch (IOException e) {
            return null;
        }
    }

    private static void close(AutoCloseable held) throws IOException {
        try {
            held.close();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        close(held);
    }

    /** flock(2) of the C library. */
    private static final class Flock {
        static final int BUSY = -1;

        private static final int EXCLUSIVE_AT_ONCE = 2 | 4;
        private static final StructLayout STATE = Linker.Option.captureStateLayout();

        /** Null where there is none or it must not be called. */
        static final Flock INSTANCE = find();

        private final MethodHandle open;
        private final MethodHandle flock;
        private final MethodHandle close;
        private final VarHandle errno;

        @SuppressWarnings("restricted")
        private Flock() {
            Linker linker = Linker.nativeLinker();
            SymbolLookup c = linker.defaultLookup();
            var integer = ValueLayout.JAVA_INT;
            Linker.Option state = Linker.Option.captureCallState("errno");
            open = linker.downcallHandle(
                    c.findOrThrow("open"),
                    FunctionDescriptor.of(integer, ValueLayout.ADDRESS, integer),
                    Linker.Option.firstVariadicArg(2),
                    state);
            flock = linker.downcallHandle(
                    c.findOrThrow("flock"), FunctionDescriptor.of(integer, integer, integer), state);
            close = linker.downcallHandle(c.findOrThrow("close"), FunctionDescriptor.of(integer, integer));
            errno = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
        }

        private static Flock find() {
            String os = System.getProperty("os.name");
            if (!os.equals("Linux") && !os.startsWith("Mac")) {
                return null;
            }
            try {
                return new Flock();
            } catch (RuntimeException | LinkageError e) {
                return null; // native access is not allowed here; Java's own locks remain
            }
        }

        /** A descriptor that holds the lock, or {@link #BUSY}. */
        int take(Path file) throws IOException {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment state = arena.allocate(STATE);
                int readOnly = 0;
                int descriptor = (int) open.invokeExact(
                        state, arena.allocateFrom(file.toAbsolutePath().toString()), readOnly);
                if (descriptor < 0) {
                    throw new UnsupportedOperationException("open");
                }
                if ((int) flock.invokeExact(state, descriptor, EXCLUSIVE_AT_ONCE) == 0) {
                    return descriptor;
                }
                int reason = (int) errno.get(state, 0L);
                release(descriptor);
                // EWOULDBLOCK, EINTR, EACCES: the first has two values
                if (reason == 11 || reason == 35 || reason == 4 || reason == 13) {
                    return BUSY;
                }
                throw new UnsupportedOperationException("flock");
            } catch (RuntimeException | IOException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IOException(e);
            }
        }

        /** Closing a descriptor gives its lock back. */
        void release(int descriptor) throws IOException {
            try {
                int ignored = (int) close.invokeExact(descriptor);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IOException(e);
            }
        }
    }
}
