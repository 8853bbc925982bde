package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.lang.ref.Cleaner;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Device memory of one backend. What belongs to objects that nobody holds any more is freed before more is taken. */
final class GpuMemory implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final int ATTEMPTS = 3;
    private static final int PATIENCE_MILLIS = 30;

    private final CudaDevice device;
    private final Set<DeviceMemory> live = new HashSet<>();
    private final ConcurrentLinkedQueue<DeviceMemory> dead = new ConcurrentLinkedQueue<>();

    GpuMemory(CudaDevice device) {
        this.device = device;
    }

    /**
     * Memory that lives as long as its holder. On the GPU's thread, not while the stream is being recorded.
     *
     * @param purpose for the message when there is not enough
     */
    DeviceMemory take(Object holder, long bytes, String purpose) {
        free();
        DeviceMemory memory = allocate(bytes, purpose);
        live.add(memory);
        ConcurrentLinkedQueue<DeviceMemory> queue = dead;
        CLEANER.register(holder, () -> queue.add(memory));
        return memory;
    }

    private DeviceMemory allocate(long bytes, String purpose) {
        for (int i = 0; i < ATTEMPTS; i++) {
            try {
                return device.allocate(bytes, purpose);
            } catch (TillerException full) {
                if (!collect()) {
                    throw full;
                }
            }
        }
        return device.allocate(bytes, purpose);
    }

    /** Lets Java find what nobody holds any more; true if that freed something. */
    private boolean collect() {
        System.gc();
        try {
            Thread.sleep(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return free();
    }

    /** Frees what nobody holds any more; true if there was something. */
    boolean free() {
        boolean any = false;
        for (DeviceMemory m = dead.poll(); m != null; m = dead.poll()) {
            if (live.remove(m)) {
                m.close();
                any = true;
            }
        }
        return any;
    }

    @Override
    public void close() {
        live.forEach(DeviceMemory::close);
        live.clear();
    }
}
