package dev.tiller.kernels;

import java.util.Arrays;

/**
 * The checks of every operation's arguments, the same for all backends, done before anything is written. What does not
 * fit is refused with {@link IllegalArgumentException}.
 */
public final class Arguments {
    private Arguments() {}

    static IllegalArgumentException refuse(String expected, Object found) {
        return new IllegalArgumentException("expected " + expected + ", found " + found);
    }

    private static String shape(Buffer b) {
        return b == null ? "null" : "[" + b.rows() + ", " + b.columns() + "]";
    }

    /** A buffer of this backend with at least that many rows and exactly that many columns. */
    static void buffer(Backend owner, String name, Buffer b, int rows, int columns) {
        rows(owner, name, b, rows);
        if (b.columns() != columns) {
            throw refuse(name + " with " + columns + " columns", shape(b));
        }
    }

    /** A buffer of this backend with at least that many rows. */
    static void rows(Backend owner, String name, Buffer b, int rows) {
        if (b == null || b.owner() != owner) {
            throw refuse(
                    name + " made by this backend",
                    b == null ? null : b.getClass().getSimpleName());
        }
        if (rows < 0 || b.rows() < rows) {
            throw refuse(name + " with at least " + rows + " rows", shape(b));
        }
    }

    /** A buffer of this backend. */
    public static void buffer(Backend owner, Buffer b) {
        rows(owner, "buffer", b, 0);
    }

    static void distinct(String names, Buffer a, Buffer b) {
        if (a == b) {
            throw refuse(names + " to be two buffers", "one");
        }
    }

    private static void indices(String name, int[] index, int count, int limit) {
        if (index == null || count < 0 || index.length < count) {
            throw refuse(name + " of at least " + count, index == null ? null : index.length);
        }
        for (int i = 0; i < count; i++) {
            if (index[i] < 0 || index[i] >= limit) {
                throw refuse(name + " from 0 to " + (limit - 1), index[i] + " at " + i);
            }
        }
    }

    private static void index(String name, int index, int limit) {
        if (index < 0 || index >= limit) {
            throw refuse(name + " from 0 to " + (limit - 1), index);
        }
    }

    /** Arguments of {@link Backend#write} and {@link Backend#read}. */
    public static void copy(Backend owner, float[] array, int at, Buffer b, int row, int rows) {
        rows(owner, "buffer", b, rows);
        if (row < 0 || row > b.rows() - rows) {
            throw refuse("rows " + row + " to " + ((long) row + rows - 1) + " inside the buffer", shape(b));
        }
        if (array == null || at < 0 || at > array.length - (long) rows * b.columns()) {
            throw refuse((long) rows * b.columns() + " elements from " + at, array == null ? null : array.length);
        }
    }

    /** Arguments of {@link Backend#embed}; the caller has made sure that the table is its own. */
    public static void embed(Backend owner, Matrix table, int[] ids, int rows, Buffer out) {
        buffer(owner, "out", out, rows, table.columns());
        indices("ids", ids, rows, table.rows());
    }

    /** Arguments of {@link Backend#matmul}; the caller has made sure that the matrix is its own. */
    public static void matmul(Backend owner, Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {
        buffer(owner, "x", x, rows, w.columns());
        buffer(owner, "out", out, rows, w.rows());
        distinct("x and out", x, out);
        if (bias != null) {
            buffer(owner, "bias", bias, 1, w.rows());
            distinct("bias and out", bias, out);
        }
    }

    /** Arguments of {@link Backend#norm}. */
    public static void norm(Backend owner, Buffer x, int rows, Norm norm, Buffer out) {
        rows(owner, "x", x, rows);
        buffer(owner, "out", out, rows, x.columns());
        buffer(owner, "norm weight", norm.weight(), 1, x.columns());
        if (norm.bias() != null) {
            buffer(owner, "norm bias", norm.bias(), 1, x.columns());
        }
    }

    private static void rowsOf(Backend owner, Buffer x, Rows rows) {
        rows(owner, "x", x, rows.count());
        indices("positions", rows.position(), rows.count(), Integer.MAX_VALUE);
    }

    static void columns(String name, Buffer x, int from, long width) {
        if (from < 0 || from + width > x.columns()) {
            throw refuse(name + " in columns " + from + " to " + (from + width - 1), shape(x));
        }
    }

    /** Arguments of {@link Backend#rope}. */
    public static void rope(Backend owner, Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        rowsOf(owner, x, rows);
        if (heads < 0 || headDim < 1 || table.half() < 1 || 2 * table.half() > headDim) {
            throw refuse("heads of at least " + 2 * table.half() + " elements", heads + " of " + headDim);
        }
        columns("heads", x, column, (long) heads * headDim);
        if (table.sin().length < table.positions() * table.half()) {
            throw refuse(table.cos().length + " sines", table.sin().length);
        }
        indices("angles", rows.angles(), rows.count(), table.positions());
    }

    /** Arguments of {@link Backend#appendKv}. */
    public static void appendKv(Backend owner, Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        rowsOf(owner, x, rows);
        pages(owner, kv, block);
        columns("keys", x, kColumn, (long) kv.kvHeads() * kv.headDim());
        columns("values", x, vColumn, (long) kv.kvHeads() * kv.headDim());
        indices("sequences", rows.sequence(), rows.count(), rows.pages().length);
        for (int t = 0; t < rows.count(); t++) {
            int index = rows.position()[t] / KvPages.PAGE;
            page(kv, rows.pages()[rows.sequence()[t]], index, index);
        }
    }

    /** Arguments of {@link Backend#attend}. */
    public static void attend(
            Backend owner, Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {
        rowsOf(owner, x, rows);
        pages(owner, kv, block);
        if (spec.kvHeads() != kv.kvHeads()
                || spec.headDim() != kv.headDim()
                || spec.heads() < 1
                || spec.heads() % spec.kvHeads() != 0
                || spec.window() < 0
                || !(spec.softCap() >= 0)) {
            throw refuse(
                    "pages of " + kv.kvHeads() + " heads of " + kv.headDim()
                            + ", a multiple of query heads, window and softCap of at least 0",
                    spec);
        }
        columns("queries", x, qColumn, (long) spec.heads() * spec.headDim());
        buffer(owner, "out", out, rows.count(), spec.heads() * spec.headDim());
        distinct("x and out", x, out);
        indices("sequences", rows.sequence(), rows.count(), rows.pages().length);
        for (int t = 0; t < rows.count(); t++) {
            int p = rows.position()[t];
            boolean follows = t > 0
                    && rows.sequence()[t] == rows.sequence()[t - 1]
                    && p == rows.position()[t - 1] + 1
                    && p % KvPages.PAGE != 0;
            if (!follows) { // else its pages are those of the row before
                page(kv, rows.pages()[rows.sequence()[t]], first(p, spec.window()) / KvPages.PAGE, p / KvPages.PAGE);
            }
        }
    }

    /** First position that a row at position p sees. */
    public static int first(int p, int window) {
        return window == 0 ? 0 : Math.max(0, p - window + 1);
    }

    private static void pages(Backend owner, KvPages kv, int block) {
        if (kv == null || kv.owner() != owner) {
            throw refuse(
                    "pages made by this backend",
                    kv == null ? null : kv.getClass().getSimpleName());
        }
        if (block < 0 || block >= kv.blocks()) {
            throw refuse("a block from 0 to " + (kv.blocks() - 1), block);
        }
    }

    private static void page(KvPages kv, int[] table, int from, int to) {
        if (to >= table.length) {
            throw refuse("a page table of at least " + (to + 1), table.length);
        }
        for (int i = from; i <= to; i++) {
            if (!kv.isAllocated(table[i])) {
                throw refuse("pages that are in use", table[i] + " at " + i + " of " + Arrays.toString(table));
            }
        }
    }

    /** Arguments of {@link Backend#gatedActivation}. */
    public static void gatedActivation(Backend owner, Buffer x, int rows, Activation activation, Buffer out) {
        if (activation == null) {
            throw refuse("an activation", null);
        }
        rows(owner, "out", out, rows);
        if (out.columns() > Integer.MAX_VALUE / 2) {
            throw refuse("out of at most 2^30 columns", out.columns());
        }
        buffer(owner, "x", x, rows, 2 * out.columns());
    }

    /** Arguments of {@link Backend#site}. */
    public static void site(
            Backend owner,
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {
        rows(owner, "x", x, rows);
        if (delta != null) {
            delta(owner, x, delta, rows);
        }
        edit(owner, x, rows, edits);
        edit(owner, x, rows, after);
        taps(owner, x, rows, taps);
        if (norm != null) {
            norm(owner, x, rows, norm, normed);
            distinct("x and normed", x, normed);
        } else if (normed != null) {
            throw refuse("a norm for normed", null);
        }
    }

    private static void delta(Backend owner, Buffer x, ModuleOutput delta, int rows) {
        buffer(owner, "delta", delta.values(), rows, x.columns());
        distinct("x and delta", x, delta.values());
        edit(owner, delta.values(), rows, delta.edits());
        edit(owner, delta.values(), rows, delta.writeEdits());
        distinct("x and directions", x, delta.edits().directions());
        distinct("x and directions", x, delta.writeEdits().directions());
        if (!Float.isFinite(delta.scale())) {
            throw refuse("a finite scale", delta.scale());
        }
        if (delta.norm() != null) {
            norm(owner, delta.values(), rows, delta.norm(), delta.values());
        }
    }

    private static void taps(Backend owner, Buffer x, int rows, SiteTaps taps) {
        if (taps.rows() != null) {
            buffer(owner, "tapped rows", taps.rows(), rows, x.columns());
            distinct("x and tapped rows", x, taps.rows());
        }
        if ((taps.probes() == null) != (taps.projections() == null)) {
            throw refuse("probes and projections together", "one of them");
        }
        if (taps.probes() != null) {
            buffer(owner, "probes", taps.probes(), 0, x.columns());
            buffer(owner, "projections", taps.projections(), rows, taps.probes().rows());
        }
        if (taps.sums() != null) {
            buffer(owner, "sums", taps.sums(), 0, x.columns());
            distinct("x and sums", x, taps.sums());
            starts("sumStart", taps.sumStart(), rows);
            indices(
                    "sumSlot",
                    taps.sumSlot(),
                    taps.sumStart()[rows],
                    taps.sums().rows());
        }
    }

    private static void starts(String name, int[] start, int rows) {
        if (start == null || start.length < rows + 1 || start[0] < 0) {
            throw refuse(name + " of " + (rows + 1) + " from 0", Arrays.toString(start));
        }
        for (int t = 0; t < rows; t++) {
            if (start[t] > start[t + 1]) {
                throw refuse(name + " that never falls", start[t + 1] + " after " + start[t]);
            }
        }
    }

    /** Arguments of {@link Backend#edit}. */
    public static void edit(Backend owner, Buffer x, int rows, EditTable edits) {
        rows(owner, "x", x, rows);
        if (edits == null) {
            throw refuse("edits (EditTable.NONE for none)", null);
        }
        if (edits.isEmpty()) {
            return;
        }
        int e = edits.kinds().length;
        if (edits.low().length < e || edits.high().length < e) {
            throw refuse(e + " bounds", edits.low().length + " and " + edits.high().length);
        }
        if (edits.direction().length < e || edits.second().length < e) {
            throw refuse(e + " directions", edits.direction().length + " and " + edits.second().length);
        }
        starts("rowStart", edits.rowStart(), rows);
        int entries = edits.rowStart()[rows];
        indices("edit", edits.edit(), entries, e);
        if (edits.coefficient().length < entries) {
            throw refuse(entries + " coefficients", edits.coefficient().length);
        }
        for (int i = edits.rowStart()[0]; i < entries; i++) {
            if (edits.coefficient()[i] == 0) {
                throw refuse("no entry with coefficient 0", "entry " + i);
            }
            operands(owner, x, rows, edits, edits.edit()[i]);
        }
    }

    /** Directions and gates of an edit. */
    private static void operands(Backend owner, Buffer x, int rows, EditTable edits, int e) {
        EditTable.Kind kind = edits.kinds()[e];
        if (kind.hasDirection()) {
            buffer(owner, "directions", edits.directions(), 0, x.columns());
            distinct("x and directions", x, edits.directions());
            index("direction", edits.direction()[e], edits.directions().rows());
        }
        if (kind == EditTable.Kind.ROTATE) {
            index("second direction", edits.second()[e], edits.directions().rows());
        }
        if (kind.hasGate()) {
            rows(owner, "gates", edits.gates(), rows);
            distinct("x and gates", x, edits.gates());
            index("gate", edits.second()[e], edits.gates().columns());
        }
    }

    /** Arguments of {@link Backend#gather}. */
    public static void gather(Backend owner, Buffer x, int[] index, int count, Buffer out) {
        rows(owner, "x", x, 0);
        buffer(owner, "out", out, count, x.columns());
        distinct("x and out", x, out);
        indices("index", index, count, x.rows());
    }

    /** Arguments of {@link Backend#argmax}. */
    public static void argmax(Backend owner, Buffer x, int rows, int[] out) {
        rows(owner, "x", x, rows);
        if (out == null || out.length < rows || x.columns() < 1) {
            throw refuse("room for " + rows + " indices and at least one column", shape(x));
        }
    }

    /** Arguments of {@link Backend#sample}. */
    public static void sample(Backend owner, Buffer logits, int rows, Draws draws, int[] out) {
        argmax(owner, logits, rows, out);
        int room = Math.min(
                Math.min(draws.temperature().length, draws.topK().length),
                Math.min(draws.topP().length, Math.min(draws.minP().length, draws.u().length)));
        if (room < rows) {
            throw refuse("draws for " + rows + " rows", room);
        }
    }
}
