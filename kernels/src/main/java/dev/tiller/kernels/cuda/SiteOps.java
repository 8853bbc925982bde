package dev.tiller.kernels.cuda;

import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;

/** The residual site: one launch per call, whoever is steered how and whatever is read. */
final class SiteOps {
    /** What the kernel allows. */
    private static final int LARGEST_BLOCK = 512;

    /** Bytes of the struct Taps. */
    private static final int TAPS = 64;

    private static final int PROBES = 8;
    private static final int PROJECTIONS = 16;
    private static final int SUMS = 24;
    private static final int BASE = 32;
    private static final int STARTS = 40;
    private static final int SLOTS = 48;
    private static final int PROBE_COUNT = 56;

    private final Gpu gpu;
    private final Steps steps;

    SiteOps(Gpu gpu) {
        this.gpu = gpu;
        this.steps = gpu.steps();
    }

    /** What a call does besides its edits and taps. */
    record Call(CudaBuffer x, CudaBuffer delta, Norm deltaNorm, float scale, Norm norm, CudaBuffer normed) {}

    void site(Call call, int count, EditTable[] phases, SiteTaps taps) {
        int rows = steps.padded(count);
        note(call, rows);
        EditLists lists = new EditLists(phases, count, call.x.columns(), b -> ((CudaBuffer) b).address());
        if (!steps.recorded()) {
            reserve(lists, taps, count, rows);
        }
        long edits = edits(phases, lists, count, rows);
        long tapped = taps(taps, count, rows);
        if (steps.launching() && edits >= 0 && tapped >= 0) {
            launch(call, rows, edits, tapped);
        }
    }

    /** Room for all slots of a call at once: making room for a later one could give away an earlier one. */
    private void reserve(EditLists lists, SiteTaps taps, int count, int rows) {
        long entries = taps.sums() == null ? 0 : taps.sumStart()[count];
        steps.reserve((long) rows * EditLists.ROW + lists.overflow() + TAPS + 4L * (rows + 1 + entries));
    }

    private void note(Call c, int rows) {
        CallLog log = steps.call(Operation.SITE)
                .with(c.x)
                .with(c.delta)
                .with(c.normed)
                .with(rows);
        note(log.with(c.scale), c.deltaNorm);
        note(log, c.norm);
    }

    private static void note(CallLog log, Norm norm) {
        log.with((long) RowOps.kind(norm));
        if (norm != null) {
            log.with(norm.weight()).with(norm.bias()).with(norm.eps()).with(norm.offset());
        }
    }

    /** What a slot of edits holds: it need not be filled again for the same. */
    private static final class Held {
        final EditTable[] phases = new EditTable[4];
        int rows = -1;

        /** Whether the same is held; from now on it is. */
        boolean same(EditTable[] wanted, int count) {
            boolean same = rows == count;
            for (int i = 0; i < phases.length; i++) {
                same &= phases[i] == wanted[i];
                phases[i] = wanted[i];
            }
            rows = count;
            return same;
        }
    }

    /** Brings the edits of a call to the device: their address, 0 if there are none, -1 if the record does not hold. */
    private long edits(EditTable[] phases, EditLists lists, int count, int rows) {
        if (!steps.recorded() && none(phases)) {
            return 0;
        }
        Slot table = steps.slot((long) rows * EditLists.ROW);
        Held held = steps.held(Held.class, Held::new);
        boolean same = held != null && held.same(phases, count);
        long overflow = same ? 0 : lists.overflow(); // a look at every row, which steady decoding does without
        Slot more = steps.elastic(overflow);
        if (table == null || held == null) {
            return -1;
        }
        if (!same) {
            lists.write(table, rows, more);
            steps.filled(table);
            if (overflow > 0) {
                steps.filled(more);
            }
        }
        return table.address();
    }

    private static boolean none(EditTable[] phases) {
        for (EditTable p : phases) {
            if (!p.isEmpty()) {
                return false;
            }
        }
        return true;
    }

    /** The same for taps. */
    private long taps(SiteTaps taps, int count, int rows) {
        if (!steps.recorded() && taps == SiteTaps.NONE) {
            return 0;
        }
        CudaBuffer sums = (CudaBuffer) taps.sums();
        long fixed = sums == null ? 0 : fixedPoint(sums);
        int entries = sums == null ? 0 : taps.sumStart()[count];
        long lists = sums == null ? 0 : 4L * (rows + 1 + entries);
        Slot slot = steps.slot(TAPS);
        Slot more = steps.elastic(lists);
        if (slot == null || fixed < 0) {
            return -1;
        }
        CudaBuffer probes = (CudaBuffer) taps.probes();
        slot.putLong(0, Gpu.address((CudaBuffer) taps.rows()));
        slot.putLong(PROBES, Gpu.address(probes));
        slot.putLong(PROJECTIONS, Gpu.address((CudaBuffer) taps.projections()));
        slot.putLong(SUMS, fixed);
        slot.putLong(BASE, Gpu.address(sums));
        slot.putLong(STARTS, sums == null ? 0 : more.address());
        slot.putLong(SLOTS, sums == null ? 0 : more.address() + 4L * (rows + 1));
        slot.putInt(PROBE_COUNT, probes == null ? 0 : probes.rows());
        steps.filled(slot);
        if (sums != null) {
            more.putInts(0, taps.sumStart(), 0, count + 1);
            for (int t = count + 1; t <= rows; t++) {
                more.putInt(4L * t, entries);
            }
            more.putInts(4L * (rows + 1), taps.sumSlot(), 0, entries);
            steps.filled(more);
        }
        return slot.address();
    }

    /** The accumulators of a buffer of sums; -1 if they cannot be made now. */
    private long fixedPoint(CudaBuffer sums) {
        if (sums.sums() == null) {
            if (steps.recorded()) {
                steps.refuse();
                return -1;
            }
            DeviceMemory made = sums.sums(gpu.heap());
            gpu.device().fill(made.address(), 0, made.bytes());
        }
        sums.summing(true);
        return sums.sums().address();
    }

    private void launch(Call c, int rows, long edits, long taps) {
        WeightFormat format = c.normed == null ? WeightFormat.F32 : c.normed.format();
        Launch launch = gpu.kernels()
                .either("site", Gpu.operand(format).entry("site"))
                .pointer(c.x.address())
                .pointer(Gpu.address(c.delta))
                .pointer(edits)
                .pointer(taps);
        norm(launch, c.deltaNorm);
        launch.real(c.scale);
        norm(launch, c.norm);
        launch.pointer(Gpu.address(c.normed)).integer(c.x.columns()).run(rows, 1, 1, block(c.x.columns()), 0);
    }

    /** Eight numbers a thread: few, since the time of one row counts when a single text is decoded. */
    private static int block(int width) {
        return Math.clamp(Math.ceilDiv(width, 8 * 32) * 32, 32, LARGEST_BLOCK);
    }

    private static void norm(Launch launch, Norm norm) {
        launch.pointer(norm == null ? 0 : ((CudaBuffer) norm.weight()).address())
                .pointer(norm == null ? 0 : Gpu.address((CudaBuffer) norm.bias()))
                .real(norm == null ? 0 : norm.eps())
                .real(norm == null ? 0 : norm.offset())
                .integer(RowOps.kind(norm));
    }
}
