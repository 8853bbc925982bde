package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Arguments;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.FamilyArguments;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.StepShape;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.WeightRows;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Locale;

/**
 * The GPU, through JCuda: our own kernels and cuBLAS. Weights, inputs of matmuls and the cache of keys and values have one
 * type, the residual and all that is added to it are float32. Arguments are checked here, on the caller's thread; the
 * work is done on the thread that owns the GPU.
 */
public final class CudaBackend implements Backend {
    /** Whether steps are recorded as graphs: on or off. */
    static final String GRAPH_PROPERTY = "tiller.cuda.graph";

    private static final int ROWS_PER_STEP = 2048;
    private static final int TEXTS_PER_STEP = 256;

    private final CudaDevice device;
    private final GpuThread thread;
    private final GpuMemory heap;
    private final KernelSet kernels;
    private final boolean shared;
    private final Steps steps;
    private final Transfers transfers;
    private final MatrixLoader loader;
    private final RowOps rowOps;
    private final MatmulOps matmulOps;
    private final AttentionOps attentionOps;
    private final SiteOps siteOps;
    private final TokenOps tokenOps;
    private final boolean graphs;
    private boolean closed;

    /** @param shared device and kernels belong to others as well and stay open */
    CudaBackend(CudaDevice device, KernelSet kernels, boolean shared) {
        this.device = device;
        this.thread = device.thread();
        this.kernels = kernels;
        this.shared = shared;
        this.graphs = graphsWanted();
        this.heap = new GpuMemory(device);
        this.steps = thread.call(() -> new Steps(device, heap, graphs));
        this.transfers = new Transfers(device, steps);
        this.loader = new MatrixLoader(device);
        Gpu gpu = new Gpu(device, heap, kernels, steps);
        this.rowOps = new RowOps(gpu);
        this.matmulOps = new MatmulOps(gpu, rowOps);
        this.attentionOps = new AttentionOps(gpu, new RopeAngles(this::constant));
        this.siteOps = new SiteOps(gpu);
        this.tokenOps = new TokenOps(gpu, transfers);
    }

    private static boolean graphsWanted() {
        String text = System.getProperty(GRAPH_PROPERTY, "on");
        if (!text.equals("on") && !text.equals("off")) {
            throw new TillerException("expected -D" + GRAPH_PROPERTY + " on or off, found \"" + text + "\"");
        }
        return text.equals("on");
    }

    @Override
    public String description() {
        return "cuda, " + device.description() + ", compute capability " + device.computeCapability() / 10 + "."
                + device.computeCapability() % 10 + ", " + device.freeBytes() / 1_000_000 + " of "
                + device.totalBytes() / 1_000_000 + " MB free, " + matmulOps.choice() + ", decode steps "
                + (graphs ? "as graphs" : "one by one");
    }

    // ---- buffers ----

    @Override
    public Buffer buffer(int rows, int columns) {
        return buffer(rows, columns, WeightFormat.F32);
    }

    @Override
    public Buffer buffer(int rows, int columns, WeightFormat format) {
        return thread.call(() -> {
            CudaBuffer made = new CudaBuffer(this, heap, rows, columns, format);
            device.fill(made.address(), 0, made.bytes());
            return made;
        });
    }

    private CudaBuffer constant(float[] values) {
        CudaBuffer made = new CudaBuffer(this, heap, 1, values.length, WeightFormat.F32);
        transfers.write(values, 0, made, 0, 1);
        return made;
    }

    @Override
    public void write(float[] source, int from, Buffer target, int row, int rows) {
        Arguments.copy(this, source, from, target, row, rows);
        thread.run(() -> {
            steps.outsideOnly("writing a buffer");
            transfers.write(source, from, in(target), row, rows);
        });
    }

    @Override
    public void read(Buffer source, int row, int rows, float[] target, int at) {
        Arguments.copy(this, target, at, source, row, rows);
        thread.run(() -> {
            steps.outsideOnly("reading a buffer");
            transfers.read(in(source), row, rows, target, at);
        });
    }

    @Override
    public void clear(Buffer buffer) {
        Arguments.buffer(this, buffer);
        thread.run(() -> {
            CudaBuffer b = in(buffer);
            steps.call(Operation.CLEAR).with(b);
            if (steps.launching()) {
                device.fill(b.address(), 0, b.bytes());
            }
        });
    }

    /** A buffer as an operand: sums that are still kept apart from it are put into it first. */
    private CudaBuffer in(Buffer buffer) {
        CudaBuffer b = (CudaBuffer) buffer;
        if (b != null && b.summing()) {
            if (steps.recorded()) {
                steps.refuse();
            } else {
                rowOps.finishSums(b);
            }
        }
        return b;
    }

    // ---- weights, keys and values ----

    @Override
    public WeightFormat naturalFormat(TensorView weight) {
        return weight.dtype() == DType.BF16
                ? WeightFormat.BF16
                : weight.dtype() == DType.F16 ? WeightFormat.F16 : WeightFormat.F32;
    }

    @Override
    public Matrix matrix(List<TensorView> parts, WeightFormat format) {
        if (format.quantised()) {
            throw new TillerException("expected weights in f32, bf16 or f16 for the cuda backend, found "
                    + format.name().toLowerCase(Locale.ROOT) + " (which the simd and scalar backends take)");
        }
        WeightRows source = new WeightRows(parts, format);
        return thread.call(() -> {
            steps.outsideOnly("loading a matrix");
            CudaMatrix made = new CudaMatrix(this, heap, source.rows(), source.columns(), format);
            loader.load(source, made);
            return made;
        });
    }

    private CudaMatrix own(Matrix w) {
        if (w instanceof CudaMatrix m && m.owner() == this) {
            return m;
        }
        throw new IllegalArgumentException("expected a matrix made by this backend");
    }

    @Override
    public WeightFormat operandFormat(WeightFormat weights) {
        return weights;
    }

    @Override
    public KvPages kvPages(int blocks, int kvHeads, int headDim, WeightFormat format) {
        return thread.call(() -> new CudaKvPages(this, device, heap, blocks, kvHeads, headDim, format));
    }

    @Override
    public int rowsPerStep() {
        return ROWS_PER_STEP;
    }

    @Override
    public int textsPerStep() {
        return TEXTS_PER_STEP;
    }

    @Override
    public void step(StepShape shape, Runnable operations) {
        thread.run(() -> steps.step(shape, operations));
    }

    // ---- operations ----

    @Override
    public void embed(Matrix table, int[] ids, int rows, float scale, Buffer out) {
        CudaMatrix from = own(table);
        Arguments.embed(this, table, ids, rows, out);
        Float32.require("out", out);
        onGpu(rows, () -> rowOps.embed(from, ids, rows, scale, in(out)));
    }

    @Override
    public void matmul(Buffer x, int rows, Matrix w, Buffer bias, Buffer out) {
        CudaMatrix weight = own(w);
        Arguments.matmul(this, x, rows, w, bias, out);
        Float32.require("bias", bias);
        Float32.require("out", out);
        onGpu(rows, () -> matmulOps.matmul(in(x), rows, weight, in(bias), in(out)));
    }

    @Override
    public void norm(Buffer x, int rows, Norm norm, Buffer out) {
        Arguments.norm(this, x, rows, norm, out);
        Float32.require("x", x);
        Float32.require(norm);
        onGpu(rows, () -> rowOps.norm(in(x), rows, norm, in(out)));
    }

    @Override
    public void rope(Buffer x, Rows rows, int column, int heads, int headDim, RopeTable table) {
        Arguments.rope(this, x, rows, column, heads, headDim, table);
        Float32.require("x", x);
        onGpu(rows.count() * heads, () -> attentionOps.rope(in(x), rows, column, heads, headDim, table));
    }

    @Override
    public void appendKv(Buffer x, Rows rows, int kColumn, int vColumn, KvPages kv, int block) {
        Arguments.appendKv(this, x, rows, kColumn, vColumn, kv, block);
        Float32.require("x", x);
        onGpu(rows.count(), () -> attentionOps.append(in(x), rows, kColumn, vColumn, (CudaKvPages) kv, block));
    }

    @Override
    public void prepareAttention(
            Buffer qkv, Rows rows, AttentionSpec spec, HeadNorms norms, RopeTable table, KvPages kv, int block) {
        FamilyArguments.prepareAttention(this, qkv, rows, spec, norms, table, kv, block);
        Float32.require("qkv", qkv);
        Float32.require(norms);
        onGpu(rows.count(), () -> attentionOps.prepare(in(qkv), rows, spec, norms, table, (CudaKvPages) kv, block));
    }

    @Override
    public void attend(Buffer x, Rows rows, int qColumn, KvPages kv, int block, AttentionSpec spec, Buffer out) {
        Arguments.attend(this, x, rows, qColumn, kv, block, spec, out);
        Float32.require("x", x);
        CudaKvPages pages = (CudaKvPages) kv;
        if (out.format() != pages.format()) {
            throw new IllegalArgumentException(
                    "expected out in the type of the keys, " + pages.format() + ", found " + out.format());
        }
        onGpu(rows.count(), () -> attentionOps.attend(in(x), rows, qColumn, pages, block, spec, in(out)));
    }

    @Override
    public void gatedActivation(Buffer x, int rows, Activation activation, Buffer out) {
        Arguments.gatedActivation(this, x, rows, activation, out);
        Float32.require("x", x);
        onGpu(rows, () -> rowOps.gated(in(x), rows, activation, in(out)));
    }

    @Override
    public void activation(Buffer x, int rows, Activation activation, Buffer out) {
        FamilyArguments.activation(this, x, rows, activation, out);
        Float32.require("x", x);
        onGpu(rows, () -> rowOps.activation(in(x), rows, activation, in(out)));
    }

    @Override
    public void scaleAndCap(Buffer x, int rows, float scale, float cap) {
        FamilyArguments.scaleAndCap(this, x, rows, scale, cap);
        Float32.require("x", x);
        onGpu(rows, () -> rowOps.scaleAndCap(in(x), rows, scale, cap));
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
        Float32.site(x, delta, edits, taps, after, norm);
        EditTable out = delta == null ? EditTable.NONE : delta.edits();
        EditTable write = delta == null ? EditTable.NONE : delta.writeEdits();
        onGpu(rows, () -> {
            CudaBuffer values = delta == null ? null : in(delta.values());
            Norm deltaNorm = delta == null ? null : delta.norm();
            float scale = delta == null ? 1 : delta.scale();
            in(taps.rows());
            in(taps.projections());
            SiteOps.Call call = new SiteOps.Call(in(x), values, deltaNorm, scale, norm, in(normed));
            siteOps.site(call, rows, new EditTable[] {out, write, edits, after}, taps);
        });
    }

    @Override
    public void gather(Buffer x, int[] index, int count, Buffer out) {
        Arguments.gather(this, x, index, count, out);
        Float32.require("x", x);
        onGpu(count, () -> rowOps.gather(in(x), index, count, in(out)));
    }

    @Override
    public void argmax(Buffer x, int rows, int[] out) {
        Arguments.argmax(this, x, rows, out);
        Float32.require("x", x);
        onGpu(rows, () -> {
            steps.outsideOnly("argmax");
            tokenOps.argmax(in(x), rows, out);
        });
    }

    @Override
    public boolean canSample() {
        return true;
    }

    @Override
    public void sample(Buffer logits, int rows, Draws draws, int[] out) {
        Arguments.sample(this, logits, rows, draws, out);
        Float32.require("logits", logits);
        onGpu(rows, () -> {
            steps.outsideOnly("sampling");
            tokenOps.sample(in(logits), rows, draws, out);
        });
    }

    private void onGpu(int rows, Runnable work) {
        if (rows > 0) {
            thread.run(work);
        }
    }

    /** Switches and counters for the kernel lab and for tests. */
    public CudaControls controls() {
        return new CudaControls(device, kernels, steps, matmulOps);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            thread.run(() -> {
                device.synchronize();
                steps.close();
                transfers.close();
                loader.close();
                heap.close();
                if (!shared) {
                    kernels.close();
                }
            });
        } finally { // after a fault of a kernel nothing else can be given back one by one
            if (!shared) {
                device.close();
            }
        }
    }
}
