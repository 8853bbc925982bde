package dev.tiller.kernels.cuda;

import java.util.ArrayList;
import java.util.List;

/** The slots of a recorded step. They stay where they are, since the record holds their addresses. */
final class StepArena implements AutoCloseable {
    private static final int CHUNK = 1 << 18;

    private final CudaDevice device;
    private final List<MemoryChunk> chunks = new ArrayList<>();
    private final List<List<Slot>> slots = new ArrayList<>();

    StepArena(CudaDevice device) {
        this.device = device;
    }

    /** A new slot; not while the stream is being recorded. */
    Slot take(long bytes) {
        if (chunks.isEmpty() || !chunks.getLast().hasRoom(bytes)) {
            chunks.add(new MemoryChunk(device, Math.max(bytes, CHUNK)));
            slots.add(new ArrayList<>());
        }
        Slot slot = chunks.getLast().take(bytes);
        slots.getLast().add(slot);
        return slot;
    }

    /** Copies the slots that changed, neighbours together; true if there were any. */
    boolean upload() {
        boolean any = false;
        for (int c = 0; c < chunks.size(); c++) {
            List<Slot> all = slots.get(c);
            for (int i = 0; i < all.size(); i++) {
                int first = i;
                for (; i < all.size() && all.get(i).dirty(); i++) {
                    all.get(i).clean();
                }
                if (i > first) {
                    Slot last = all.get(i - 1);
                    chunks.get(c).copy(all.get(first).address(), last.address() + last.bytes());
                    any = true;
                }
            }
        }
        return any;
    }

    @Override
    public void close() {
        chunks.forEach(MemoryChunk::close);
        chunks.clear();
        slots.clear();
    }
}
