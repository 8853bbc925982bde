package dev.tiller.kernels.cuda;

/** Slots of operations that run at once. They are used in turn; when all were, the first may be used again. */
final class SlotRing implements AutoCloseable {
    private static final long LARGEST = 128L << 20;

    private final CudaDevice device;
    private MemoryChunk chunk;
    private boolean wrapped;

    SlotRing(CudaDevice device, long bytes) {
        this.device = device;
        this.chunk = new MemoryChunk(device, bytes);
    }

    /** A slot for the next operation. */
    Slot take(long bytes) {
        reserve(bytes);
        return chunk.take(bytes);
    }

    /**
     * Makes room for slots of so many bytes (with {@link MemoryChunk#ALIGNMENT} to spare for each but the first), so that
     * taking one does not give away another. Waits for the stream if all are in use, which a larger ring makes rare.
     */
    void reserve(long bytes) {
        if (!chunk.hasRoom(bytes)) {
            device.synchronize();
            long size = Math.max(bytes, wrapped ? Math.min(2 * chunk.bytes(), LARGEST) : chunk.bytes());
            if (size > chunk.bytes()) {
                chunk.close();
                chunk = new MemoryChunk(device, size);
            }
            chunk.reset();
            wrapped = true;
        }
    }

    /** Copies a slot that has been filled. */
    void copy(Slot slot) {
        chunk.copy(slot.address(), slot.address() + slot.bytes());
    }

    /** Nothing on the stream uses slots any more. */
    void reset() {
        chunk.reset();
        wrapped = false;
    }

    @Override
    public void close() {
        chunk.close();
    }
}
