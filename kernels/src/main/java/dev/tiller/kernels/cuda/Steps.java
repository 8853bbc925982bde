package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Rows;
import dev.tiller.kernels.StepShape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * How operations come to run. Outside of steps, and in steps that are not worth it, each one fills its slots, copies them
 * and launches its kernels. A decode step whose shape was seen before is recorded as a graph; when it comes again, its
 * operations only fill their slots, and the graph is launched as a whole. All methods belong on the GPU's thread.
 */
final class Steps implements AutoCloseable {
    /** Graphs that are kept. */
    static final int MOST_GRAPHS = 32;

    private static final long RING_BYTES = 4L << 20;
    private static final long ROWS_BYTES = 1L << 18;
    private static final CallLog NO_LOG = CallLog.off();

    /** What operations have to do in this pass. */
    private enum Mode {
        /** Fill, copy, launch. */
        EAGER,
        /** Make slots, note the calls; nothing is launched. */
        NOTE,
        /** Fill slots, launch into the graph that is being recorded. */
        CAPTURE,
        /** Fill slots. */
        REPLAY
    }

    private record Key(int rows, int outputs, int positions) {}

    private static final class Recorded {
        final CallLog log = CallLog.recording();
        final StepArena arena;
        CudaGraph graph;

        Recorded(CudaDevice device) {
            arena = new StepArena(device);
        }

        void close() {
            if (graph != null) {
                graph.close();
            }
            arena.close();
        }
    }

    private final CudaDevice device;
    private final GpuMemory heap;
    private final boolean recording;
    private final SlotRing ring;
    private final SlotRing rowsRing; // rows are used by many operations, while the other ring goes round
    private final Map<Key, Recorded> graphs = new LinkedHashMap<>(16, 0.75f, true);
    private Mode mode = Mode.EAGER;
    private boolean inStep;
    private Key key;
    private Recorded recorded;
    private boolean copying;
    private Rows rows;
    private RowTable rowTable;
    private Slot rowSlot;
    private long captures;
    private long replays;

    /** @param recording whether to record steps at all */
    Steps(CudaDevice device, GpuMemory heap, boolean recording) {
        this.device = device;
        this.heap = heap;
        this.recording = recording;
        this.ring = new SlotRing(device, RING_BYTES);
        this.rowsRing = new SlotRing(device, ROWS_BYTES);
    }

    // ---- steps ----

    void step(StepShape shape, Runnable operations) {
        if (inStep) {
            throw new IllegalStateException("a step cannot contain another one");
        }
        heap.free();
        inStep = true;
        try {
            boolean worth = recording && shape.decode() && shape.rows() > 0 && shape.rows() <= RowBuckets.LARGEST;
            if (!worth || !recordedStep(shape, operations)) {
                pass(Mode.EAGER, operations);
            }
        } finally {
            inStep = false;
            mode = Mode.EAGER;
            recorded = null;
            rows = null;
        }
    }

    /** False if the operations have to run one by one, this time. */
    private boolean recordedStep(StepShape shape, Runnable operations) {
        key = new Key(
                RowBuckets.rows(shape.rows()),
                RowBuckets.rows(shape.outputs()),
                RowBuckets.positions(shape.positions()));
        if (!graphs.containsKey(key)) {
            graphs.put(key, null);
            dropEldest();
        }
        recorded = graphs.get(key);
        if (recorded == null) {
            return firstTime(operations);
        }
        awaitCopies();
        if (recorded.graph == null) {
            return capture(operations);
        }
        pass(Mode.REPLAY, operations);
        if (!recorded.log.holds()) {
            drop();
            return false;
        }
        launch();
        replays++;
        return true;
    }

    /**
     * Notes the calls and launches their kernels one by one, as they will be recorded the next time: before recording,
     * libraries must have loaded what they need, and buffers must have grown.
     */
    private boolean firstTime(Runnable operations) {
        Recorded made = new Recorded(device);
        recorded = made;
        try {
            pass(Mode.NOTE, operations);
            if (made.log.holds()) {
                pass(Mode.REPLAY, operations);
            }
            if (!made.log.holds()) {
                made.close();
                return false;
            }
            copying |= made.arena.upload();
            made.log.compare();
            pass(Mode.CAPTURE, operations);
        } catch (RuntimeException | Error e) {
            synchronize();
            made.close();
            throw e;
        }
        graphs.put(key, made);
        return true;
    }

    private boolean capture(Runnable operations) {
        Recorded made = recorded;
        made.log.compare();
        made.graph = CudaGraph.capture(device, () -> pass(Mode.CAPTURE, operations));
        if (!made.log.holds()) {
            drop();
            return false;
        }
        captures++;
        launch();
        return true;
    }

    private void pass(Mode how, Runnable operations) {
        mode = how;
        rows = null;
        if (how == Mode.REPLAY) {
            recorded.log.compare();
        }
        operations.run();
    }

    private void launch() {
        copying |= recorded.arena.upload();
        recorded.graph.launch();
    }

    /** The image of a slot must not change while it is being copied. */
    private void awaitCopies() {
        if (copying) {
            synchronize();
        }
    }

    private void drop() {
        synchronize();
        recorded.close();
        graphs.put(key, null);
    }

    /** Forgets all records. */
    void forget() {
        synchronize();
        graphs.values().stream().filter(g -> g != null).forEach(Recorded::close);
        graphs.clear();
    }

    private void dropEldest() {
        if (graphs.size() > MOST_GRAPHS) {
            Key eldest = graphs.keySet().iterator().next();
            Recorded old = graphs.remove(eldest);
            if (old != null) {
                synchronize();
                old.close();
            }
        }
    }

    /** Waits for everything on the stream. */
    void synchronize() {
        device.synchronize();
        copying = false;
        if (mode == Mode.EAGER && !inStep) {
            ring.reset();
            rowsRing.reset();
        }
    }

    /** Steps recorded so far. */
    long captures() {
        return captures;
    }

    /** Steps that ran from a record. */
    long replays() {
        return replays;
    }

    /** Graphs held now. */
    long graphs() {
        return graphs.values().stream().filter(g -> g != null).count();
    }

    // ---- for operations ----

    /** Refuses what only makes sense outside of steps. */
    void outsideOnly(String what) {
        if (inStep) {
            throw new IllegalStateException(what + " is no part of a step");
        }
    }

    /** Whether an operation is to launch its kernels in this pass. */
    boolean launching() {
        return mode == Mode.EAGER || mode == Mode.CAPTURE;
    }

    private boolean noted() {
        return mode != Mode.EAGER;
    }

    /** Rows that an operation on so many rows works on: those of the bucket if the step is recorded. */
    int padded(int count) {
        return noted() ? RowBuckets.rows(count) : count;
    }

    /** The record of calls that the operation enters itself in. */
    CallLog call(Operation operation) {
        return noted() ? recorded.log.with(operation) : NO_LOG;
    }

    /** This step cannot be recorded, or not now. */
    void refuse() {
        if (noted()) {
            recorded.log.refuse();
        }
    }

    /** Whether the step is being recorded or replayed. */
    boolean recorded() {
        return noted();
    }

    /** A slot of the current call; null if the record does not hold, then nothing more is needed of the call. */
    Slot slot(long bytes) {
        if (!noted()) {
            return ring.take(bytes);
        }
        Slot found = recorded.log.kept(Slot.class, () -> recorded.arena.take(bytes));
        if (found != null && found.bytes() < bytes) {
            refuse();
            return null;
        }
        return found;
    }

    /** To be called when the slot has been filled. */
    void filled(Slot slot) {
        if (!noted()) {
            ring.copy(slot);
        }
    }

    /** To be called before a call takes several slots (four at most), with the bytes of all. */
    void reserve(long bytes) {
        if (!noted()) {
            ring.reserve(bytes + 4 * MemoryChunk.ALIGNMENT);
        }
    }

    /** A slot whose size may change from step to step, for what other slots point to. */
    Slot elastic(long bytes) {
        if (!noted()) {
            return bytes == 0 ? null : ring.take(bytes);
        }
        Elastic found = recorded.log.kept(Elastic.class, Elastic::new);
        if (found == null) {
            return null;
        }
        if (bytes > 0 && (found.slot == null || found.slot.bytes() < bytes)) {
            found.slot = recorded.arena.take(Math.max(2 * bytes, 256));
        }
        return found.slot;
    }

    /** Something that a call keeps from step to step; new each time outside of recorded steps. */
    <T> T held(Class<T> type, Supplier<T> make) {
        return noted() ? recorded.log.kept(type, make) : make.get();
    }

    private static final class Elastic {
        Slot slot;
    }

    // ---- the rows of a step ----

    /** Brings the rows to the device, once per step; null if the record does not hold. */
    Slot rows(Rows where) {
        if (inStep && rows == where) {
            call(Operation.SAME_ROWS);
            return rowSlot;
        }
        call(Operation.ROWS);
        rows = where;
        rowTable = new RowTable(where, padded(where.count()), noted() ? key.positions : 0);
        if (noted() && (!rowTable.decode() || rowTable.positions() > key.positions)) {
            refuse();
            rowSlot = null;
            return null;
        }
        rowSlot = noted() ? slot(rowTable.bytes()) : rowsRing.take(rowTable.bytes());
        if (rowSlot != null) {
            rowTable.write(where, rowSlot);
            if (!noted()) {
                rowsRing.copy(rowSlot);
            }
        }
        return rowSlot;
    }

    /** What is known of the rows last brought to the device. */
    RowTable rowTable() {
        return rowTable;
    }

    @Override
    public void close() {
        forget();
        ring.close();
        rowsRing.close();
    }
}
