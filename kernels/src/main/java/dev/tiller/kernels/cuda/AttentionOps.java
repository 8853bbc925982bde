package dev.tiller.kernels.cuda;

import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.WeightFormat;

/**
 * Positions, keys and values, attention. Rows that are alone in their sequence go to the kernel for decoding, tiles of
 * neighbouring rows to the one for prefill. With keys in float32 the former takes all, because there a row must give the
 * same bits whatever rows come with it.
 */
final class AttentionOps {
    /** Positions of one split of a row in decoding: fixed, since the result depends on it. */
    private static final int CHUNK = 128;

    private static final int BLOCK = 128;
    private static final int MOST_SHARING = 8;
    /** Head widths that the forms of the kernel for prefill are made for, and what shared memory they need. */
    private static final int[] PREFILL_WIDTHS = {64, 96, 128, 256};

    private static final int[] PREFILL_SHARED = {18432, 26624, 34816, 67584};
    private static final long MOST_PARTIAL = 16L << 20;

    private final Gpu gpu;
    private final Steps steps;
    private final RopeAngles angles;
    private CudaBuffer partial;
    private CudaBuffer counters;

    AttentionOps(Gpu gpu, RopeAngles angles) {
        this.gpu = gpu;
        this.steps = gpu.steps();
        this.angles = angles;
    }

    void rope(CudaBuffer x, Rows where, int column, int heads, int headDim, RopeTable table) {
        Slot rows = steps.rows(where);
        RopeAngles.Uploaded angle = angles.of(table);
        steps.call(Operation.ROPE).with(x).with(angle).with(column).with(heads).with(headDim);
        if (rows != null && steps.launching()) {
            gpu.kernels()
                    .exactly("rope", "rope")
                    .pointer(x.address())
                    .integer(x.columns())
                    .pointer(rows.address() + steps.rowTable().angle())
                    .pointer(angle.cos().address())
                    .pointer(angle.sin().address())
                    .integer(table.half())
                    .integer(column)
                    .integer(heads)
                    .integer(headDim)
                    .run(steps.rowTable().rows(), 1, 1, RowOps.BLOCK, 0);
        }
    }

    void append(CudaBuffer x, Rows where, int kColumn, int vColumn, CudaKvPages kv, int block) {
        Slot rows = steps.rows(where);
        steps.call(Operation.APPEND).with(x).with(kv).with(block).with(kColumn).with(vColumn);
        if (rows != null && steps.launching()) {
            Launch launch = gpu.kernels()
                    .exactly("rope", Gpu.operand(kv.format()).entry("append_kv"))
                    .pointer(x.address())
                    .integer(x.columns())
                    .pointer(rows.address())
                    .integer(kColumn)
                    .integer(vColumn)
                    .integer(kv.kvHeads())
                    .integer(kv.headDim());
            pages(launch, kv, block).run(steps.rowTable().rows(), 1, 1, RowOps.BLOCK, 0);
        }
    }

    private static Launch pages(Launch launch, CudaKvPages kv, int block) {
        return launch.pointer(kv.slabTable())
                .integer(kv.slabShift())
                .pointer(kv.pageElements())
                .integer(block);
    }

    /**
     * Norms, rotation and storing; queries, keys and values lie side by side. One launch, with statistics over all heads
     * one more before it.
     */
    void prepare(
            CudaBuffer qkv,
            Rows where,
            AttentionSpec spec,
            HeadNorms norms,
            RopeTable table,
            CudaKvPages kv,
            int block) {
        Slot rows = steps.rows(where);
        RopeAngles.Uploaded angle = table == null ? null : angles.of(table);
        steps.call(Operation.PREPARE).with(qkv).with(angle).with(kv).with(block).with(spec.heads());
        note(norms);
        if (rows == null || !steps.launching()) {
            return;
        }
        boolean together = norms != null && norms.span() == HeadNorms.Span.ALL;
        if (together) {
            normAll(qkv, spec, norms);
        }
        int k = spec.headDim();
        int heads = spec.heads() + 2 * spec.kvHeads();
        String entry = Gpu.operand(kv.format()).entry("rope_kv");
        Launch launch = gpu.kernels()
                .either("rope", entry)
                .pointer(qkv.address())
                .integer(qkv.columns())
                .pointer(rows.address())
                .pointer(angle == null ? 0 : angle.cos().address())
                .pointer(angle == null ? 0 : angle.sin().address())
                .integer(angle == null ? 0 : table.half())
                .integer(spec.heads())
                .integer(spec.kvHeads())
                .integer(k)
                .integer(0)
                .integer(spec.heads() * k)
                .integer((spec.heads() + spec.kvHeads()) * k);
        headNorms(launch, together ? null : norms, k);
        // a warp takes a head, but in the simplest form a thread takes several
        int blocks = gpu.kernels().naive("rope") ? 1 : Math.ceilDiv(heads, BLOCK / 32);
        pages(launch, kv, block).run(steps.rowTable().rows(), blocks, 1, BLOCK, 0);
    }

    private void note(HeadNorms norms) {
        CallLog log = steps.call(Operation.PREPARE).with(norms == null ? null : norms.span());
        if (norms != null) {
            log.with(norms.query().weight()).with(norms.key().weight());
            log.with((long) RowOps.kind(norms.query()))
                    .with(norms.query().eps())
                    .with(norms.query().offset());
        }
    }

    private static long weight(Norm norm) {
        return norm == null ? 0 : ((CudaBuffer) norm.weight()).address();
    }

    private static void headNorms(Launch launch, HeadNorms norms, int k) {
        Norm query = norms == null ? null : norms.query();
        launch.pointer(weight(query))
                .pointer(weight(norms == null ? null : norms.key()))
                .real(query == null ? 0f : query.eps())
                .real(query == null ? 0f : query.offset())
                .integer(RowOps.kind(query))
                .integer(norms != null && norms.span() == HeadNorms.Span.OWN ? k : 0);
    }

    private void normAll(CudaBuffer qkv, AttentionSpec spec, HeadNorms norms) {
        int q = spec.heads() * spec.headDim();
        gpu.kernels()
                .exactly("rope", "norm_qk")
                .pointer(qkv.address())
                .integer(qkv.columns())
                .integer(0)
                .integer(q)
                .pointer(weight(norms.query()))
                .integer(q)
                .integer(spec.kvHeads() * spec.headDim())
                .pointer(weight(norms.key()))
                .real(norms.query().eps())
                .real(norms.query().offset())
                .integer(RowOps.kind(norms.query()))
                .run(steps.rowTable().rows(), 2, 1, RowOps.BLOCK, 0);
    }

    void attend(CudaBuffer x, Rows where, int qColumn, CudaKvPages kv, int block, AttentionSpec spec, CudaBuffer out) {
        Slot rows = steps.rows(where);
        RowTable table = steps.rowTable();
        boolean alone = kv.format() == WeightFormat.F32;
        int count = alone || steps.recorded() ? table.rows() : table.singles();
        int splits = Math.ceilDiv(table.positions(), CHUNK);
        long perRow = (long) spec.heads() * splits * (spec.headDim() + 2);
        int together = Math.clamp(MOST_PARTIAL / perRow, 1, Math.max(1, count));
        partial = atLeast(partial, out, perRow * together);
        counters = atLeast(counters, out, (long) together * spec.kvHeads());
        steps.call(Operation.ATTEND)
                .with(x)
                .with(kv)
                .with(out)
                .with(partial)
                .with(counters)
                .with(qColumn);
        steps.call(Operation.ATTEND).with(block).with(spec.heads()).with(spec.window());
        steps.call(Operation.ATTEND).with(spec.scale()).with(spec.softCap());
        if (rows == null || !steps.launching()) {
            return;
        }
        Query q = new Query(x, qColumn, rows.address(), kv, block, spec, out);
        long list = rows.address() + (alone ? table.allRows() : table.rowList());
        for (int i = 0; i < count; i += together) {
            decode(q, list + 4L * i, Math.min(together, count - i), splits);
        }
        if (!alone && table.tiles() > 0) {
            prefill(q, rows.address() + table.tileList(), table.tiles());
        }
    }

    private CudaBuffer atLeast(CudaBuffer found, CudaBuffer like, long elements) {
        if (found != null && found.elements() >= elements) {
            return found;
        }
        CudaBuffer made =
                new CudaBuffer((CudaBackend) like.owner(), gpu.heap(), 1, Math.toIntExact(elements), WeightFormat.F32);
        gpu.device().fill(made.address(), 0, made.bytes());
        return made;
    }

    private record Query(
            CudaBuffer x, int column, long rows, CudaKvPages kv, int block, AttentionSpec spec, CudaBuffer out) {
        /** Parameters up to the one that says which rows. */
        Launch start(Launch launch, long which) {
            launch.pointer(x.address())
                    .integer(x.columns())
                    .integer(column)
                    .pointer(rows)
                    .pointer(which);
            return pages(launch, kv, block)
                    .integer(spec.heads())
                    .integer(spec.kvHeads())
                    .integer(spec.headDim())
                    .real(spec.scale())
                    .real(spec.softCap())
                    .integer(spec.window());
        }
    }

    private void decode(Query q, long list, int rows, int splits) {
        AttentionSpec spec = q.spec;
        int group = spec.heads() / spec.kvHeads();
        int sharing = Math.min(MOST_SHARING, group == 1 ? 1 : Integer.highestOneBit(group - 1) << 1);
        boolean naive = gpu.kernels().naive("attention") || spec.headDim() % 8 != 0;
        String entry = Gpu.operand(q.kv.format()).entry("attend_decode");
        int shared = naive ? 0 : sharing * (5 * spec.headDim() + 8) * Float.BYTES;
        q.start(gpu.kernels().exactly("attention", entry + (naive ? "_naive" : "_g" + sharing)), list)
                .pointer(partial.address())
                .pointer(counters.address())
                .pointer(q.out.address())
                .integer(CHUNK)
                .run(spec.kvHeads(), splits, rows, BLOCK, shared);
    }

    private void prefill(Query q, long tiles, int count) {
        int k = q.spec.headDim();
        String entry = Gpu.operand(q.kv.format()).entry("attend_prefill");
        int form = 0;
        while (form < PREFILL_WIDTHS.length - 1 && PREFILL_WIDTHS[form] < k) {
            form++;
        }
        boolean naive = gpu.kernels().naive("attention_prefill") || k % 8 != 0;
        q.start(
                        gpu.kernels()
                                .exactly("attention_prefill", entry + (naive ? "_naive" : "_k" + PREFILL_WIDTHS[form])),
                        tiles)
                .pointer(q.out.address())
                .run(count, q.spec.heads(), 1, BLOCK, naive ? 0 : PREFILL_SHARED[form]);
    }
}
