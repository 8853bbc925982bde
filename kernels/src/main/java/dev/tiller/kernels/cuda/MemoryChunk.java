package dev.tiller.kernels.cuda;

/** Device memory and pinned memory of the same size: what is written to one on the host is copied to the other. */
final class MemoryChunk implements AutoCloseable {
    static final int ALIGNMENT = 256;

    private final CudaDevice device;
    private final DeviceMemory there;
    private final PinnedMemory here;
    private long used;

    MemoryChunk(CudaDevice device, long bytes) {
        this.device = device;
        this.there = device.allocate(bytes, "the tables of a step");
        this.here = device.pin(bytes);
    }

    long bytes() {
        return there.bytes();
    }

    /** Whether {@link #take} of so many bytes is possible. */
    boolean hasRoom(long bytes) {
        return used + bytes <= there.bytes();
    }

    /** The next piece. */
    Slot take(long bytes) {
        Slot slot = new Slot(here.segment().asSlice(used, bytes), there.address() + used);
        used = Math.ceilDiv(used + bytes, ALIGNMENT) * ALIGNMENT;
        return slot;
    }

    /** All pieces are given back. */
    void reset() {
        used = 0;
    }

    /** Copies the bytes from one address on the device to another, in stream order. */
    void copy(long from, long to) {
        device.copyToDevice(from, here, from - there.address(), to - from);
    }

    @Override
    public void close() {
        there.close();
        here.close();
    }
}
