package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.HeapBuffer.array;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.Expert;
import dev.tiller.kernels.FamilyArguments;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.HeapBackend;
import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.Threads;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.TensorView;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The fast backend for processors: vectors of the Vector API, all cores, weights in their own format outside the Java
 * heap. Sums are float32 and run in an order that depends neither on the other rows of a call nor on the threads.
 */
public final class SimdBackend extends HeapBackend {
    private final String threads;
    private final String note;
    private final WorkerPool pool;
    private final Arena weights = Arena.ofShared();
    private final SegmentAllocator room;
    private final Map<String, PanelMatrix> matrices = new LinkedHashMap<>();
    private PackedWeights packed;
    private int fromFile;
    private final MatmulTask matmul;
    private final AttentionTask attention;
    private final SiteTask site;
    private final NormTask norm = new NormTask();
    private final RowTasks.Embed embed = new RowTasks.Embed();
    private final RowTasks.Rope rope = new RowTasks.Rope();
    private final RowTasks.Append append = new RowTasks.Append();
    private final PrepareTask prepare = new PrepareTask(rope, append);
    private final RowTasks.Gated gated;
    private final ElementTasks.Activate activate = new ElementTasks.Activate();
    private final ElementTasks.ScaleAndCap scaleAndCap = new ElementTasks.ScaleAndCap();
    private final MixtureTask mixture;
    private final ArgmaxTask argmax;

    /** Starts {@code threads - 1} worker threads. */
    public SimdBackend(int threads) {
        this(new Threads(threads, "asked for"), "");
    }

    /** @param note what the description is to say at its end */
    public SimdBackend(Threads chosen, String note) {
        this(chosen, note, new WorkerPool(chosen.count()), true);
    }

    /** @param pool of so many threads */
    SimdBackend(Threads chosen, String note, WorkerPool pool) {
        this(chosen, note, pool, true);
    }

    /** One of a single thread, for a few small matrices: large pages are not asked for, which takes a while to prepare. */
    static SimdBackend small() {
        return new SimdBackend(new Threads(1, "small"), "", new WorkerPool(1), false);
    }

    private SimdBackend(Threads chosen, String note, WorkerPool pool, boolean slabs) {
        this.threads = chosen.toString();
        this.note = note;
        this.room = slabs ? new Slabs(weights) : weights;
        this.pool = pool;
        this.matmul = new MatmulTask(pool);
        this.attention = new AttentionTask(pool);
        this.site = new SiteTask(pool);
        this.gated = new RowTasks.Gated(pool.threads());
        this.mixture = new MixtureTask(pool, matmul, gated);
        this.argmax = new ArgmaxTask(pool);
    }

    /**
     * Looks in the background whether this Java machine makes vector instructions of vectors, and says so on standard
     * error if it does not; once, however often it is called.
     */
    public static void checkVectors() {
        VectorCheck.start();
    }

    /** The width in bits of the vectors in this JVM. */
    public static int vectorBits() {
        return Lanes.BITS;
    }

    /** The width in bits that this processor prefers, at most 512; below 128 it has no usable vectors. */
    public static int preferredBits() {
        return Lanes.PREFERRED_BITS;
    }

    @Override
    public String description() {
        return "simd, " + Lanes.BITS + "-bit vectors (" + Lanes.reason() + "), " + threads + note;
    }

    @Override
    public Matrix matrix(List<TensorView> parts, WeightFormat format) {
        String name = parts.stream().map(TensorView::name).collect(Collectors.joining("+"));
        WeightRows source = new WeightRows(parts, format);
        PanelMatrix found = packed == null ? null : packed.find(this, name, source.rows(), source.columns(), format);
        PanelMatrix matrix = found != null ? found : PanelMatrix.pack(this, source, room, pool);
        if (found == null) {
            forget(parts);
        }
        fromFile += found != null ? 1 : 0;
        matrices.put(name, matrix);
        return matrix;
    }

    /** What has been packed need not stay in memory a second time; if it is read again, the system reads the file again. */
    private static void forget(List<TensorView> parts) {
        for (TensorView part : parts) {
            if (part.data().isMapped()) {
                part.data().unload();
            }
        }
    }

    /**
     * Takes matrices from a file where it has them, from now on.
     *
     * @param file to be read
     * @param key as in {@link PackedWeights#open}, which says what is refused
     */
    public void takePacked(Path file, String key) {
        packed = PackedWeights.open(file, key, weights);
    }

    /** How many of the matrices came from a file of packed weights. */
    public int matricesFromFile() {
        return fromFile;
    }

    /** Writes all matrices made so far, by the names of their tensors, for {@link #takePacked}. */
    public void writePacked(Path file, String key) {
        PackedWeights.write(file, key, matrices);
    }

    private PanelMatrix own(Matrix w) {
        if (w instanceof PanelMatrix m && m.owner == this) {
            return m;
        }
        throw new IllegalArgumentException("expected a matrix made by this backend");
    }

    @Override
    public void embed(Matrix table, int[] ids, int rows, float scale, Buffer out) {
        embed.table = own(table);
        Arguments.embed(this, table, ids, rows, out);
        embed.ids = ids;
        embed.scale = scale;
        embed.out = array(out);
        pool.run(embed, rows, RowTasks.portion(8 * table.columns()));
    }

    @Override
    public void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {
        PanelMatrix panels = own(w);
        Arguments.matmul(this, x, rows, w, bias, out);
        matmul.run(array(x), rows, panels, array(bias), array(out));
    }

    @Override
    public void norm(Buffer x, int rows, Norm norm, Buffer out) {
        Arguments.norm(this, x, rows, norm, out);
        this.norm.x = array(x);
        this.norm.d = x.columns();
        this.norm.norm = norm;
        this.norm.out = array(out);
        pool.run(this.norm, rows, RowTasks.portion(x.columns()));
    }

    @Override
    public void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        Arguments.rope(this, x, rows, column, heads, headDim, table);
        setRope(x, rows, column, heads, headDim, table);
        pool.run(rope, rows.count(), RowTasks.portion(2 * heads * headDim));
    }

    private void setRope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        rope.x = array(x);
        rope.columns = x.columns();
        rope.rows = rows;
        rope.column = column;
        rope.heads = heads;
        rope.headDim = headDim;
        rope.table = table;
    }

    @Override
    public void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        Arguments.appendKv(this, x, rows, kColumn, vColumn, kv, block);
        setAppend(x, rows, kColumn, vColumn, kv, block);
        pool.run(append, rows.count(), RowTasks.portion(8 * append.kv.kvHeads() * append.kv.headDim()));
    }

    private void setAppend(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        append.x = array(x);
        append.columns = x.columns();
        append.rows = rows;
        append.kColumn = kColumn;
        append.vColumn = vColumn;
        append.kv = (HeapKvPages) kv;
        append.block = block;
    }

    @Override
    public void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block) {
        FamilyArguments.prepareAttention(this, qkv, rows, spec, norms, table, kv, block);
        int k = spec.headDim();
        int keys = spec.heads() * k;
        if (table != null) {
            setRope(qkv, rows, 0, spec.heads() + spec.kvHeads(), k, table);
        }
        setAppend(qkv, rows, keys, keys + spec.kvHeads() * k, kv, block);
        prepare.x = array(qkv);
        prepare.columns = qkv.columns();
        prepare.spec = spec;
        prepare.norms = norms;
        prepare.rotated = table != null;
        pool.run(prepare, rows.count(), RowTasks.portion(4 * qkv.columns()));
    }

    @Override
    public void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {
        Arguments.attend(this, x, rows, qColumn, kv, block, spec, out);
        attention.run(array(x), x.columns(), rows, qColumn, (HeapKvPages) kv, block, spec, array(out));
    }

    @Override
    public void gatedActivation(Buffer x, int rows, Activation activation, Buffer out) {
        Arguments.gatedActivation(this, x, rows, activation, out);
        gated.x = array(x);
        gated.out = array(out);
        gated.f = out.columns();
        gated.activation = activation;
        pool.run(gated, rows, RowTasks.portion(4 * out.columns()));
    }

    @Override
    public void activation(Buffer x, int rows, Activation activation, Buffer out) {
        FamilyArguments.activation(this, x, rows, activation, out);
        activate.activation = activation;
        activate.run(pool, array(x), rows * x.columns(), array(out), 4096);
    }

    @Override
    public void scaleAndCap(Buffer x, int rows, float scale, float cap) {
        FamilyArguments.scaleAndCap(this, x, rows, scale, cap);
        scaleAndCap.scale = scale;
        scaleAndCap.cap = cap;
        scaleAndCap.run(pool, array(x), rows * x.columns(), array(x), cap > 0 ? 4096 : 16384);
    }

    @Override
    public boolean supportsMixture() {
        return true;
    }

    @Override
    public void mixture(Buffer x, int rows, Buffer scores, Mixture mixture, Buffer out) {
        for (Expert e : mixture.experts()) {
            own(e.gateUp());
            own(e.down());
        }
        FamilyArguments.mixture(this, x, rows, scores, mixture, out);
        this.mixture.run(array(x), x.columns(), rows, array(scores), mixture, array(out));
    }

    @Override
    public void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {
        Arguments.site(this, x, delta, rows, edits, taps, after, norm, normed);
        site.run(array(x), x.columns(), delta, rows, edits, taps, after, norm, array(normed));
    }

    @Override
    public void argmax(Buffer x, int rows, int[] out) {
        Arguments.argmax(this, x, rows, out);
        argmax.run(array(x), x.columns(), rows, out);
    }

    @Override
    public void close() {
        pool.close();
        if (weights.scope().isAlive()) {
            weights.close();
        }
    }

    private static final class NormTask implements WorkerPool.Task {
        float[] x;
        int d;
        Norm norm;
        float[] out;

        @Override
        public void run(int from, int to, int worker) {
            for (int t = from; t < to; t++) {
                RowKernels.norm(x, t * d, norm, out, t * d);
            }
        }
    }
}
