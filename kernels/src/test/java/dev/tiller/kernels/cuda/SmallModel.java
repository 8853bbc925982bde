package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
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
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** One transformer block with random weights on a backend, run by steps as an engine does. */
final class SmallModel {
    static final int D = 32;
    static final int HEADS = 4;
    static final int KV_HEADS = 2;
    static final int K = 8;
    static final int F = 48;
    static final int V = 50;
    private static final int POSITIONS = 128;

    final Backend b;
    private final WeightFormat operand;
    private final Random random = new Random(7);
    private final Matrix table;
    private final Matrix qkvWeight;
    private final Matrix outWeight;
    private final Matrix gateUpWeight;
    private final Matrix downWeight;
    private final Buffer bias;
    private final Norm norm;
    private final HeadNorms headNorms;
    private final RopeTable rope;
    final KvPages kv;
    private final AttentionSpec spec = new AttentionSpec(HEADS, KV_HEADS, K, 0.35f, 0, 0);
    private final List<List<Integer>> pages = new ArrayList<>();
    private Scratch s;

    private record Scratch(
            Buffer x,
            Buffer normed,
            Buffer qkv,
            Buffer attn,
            Buffer delta,
            Buffer gateUp,
            Buffer act,
            Buffer last,
            Buffer selected,
            Buffer logits) {}

    /** What a step does to its rows besides the forward pass. */
    record Steering(EditTable out, EditTable write, EditTable edits, EditTable after, SiteTaps taps) {
        static final Steering NONE =
                new Steering(EditTable.NONE, EditTable.NONE, EditTable.NONE, EditTable.NONE, SiteTaps.NONE);
    }

    SmallModel(Backend b, WeightFormat format, int rows) {
        this.b = b;
        this.operand = b.operandFormat(format);
        table = weight(V, D, format);
        qkvWeight = weight((HEADS + 2 * KV_HEADS) * K, D, format);
        outWeight = weight(D, HEADS * K, format);
        gateUpWeight = weight(2 * F, D, format);
        downWeight = weight(D, F, format);
        bias = b.buffer(1, (HEADS + 2 * KV_HEADS) * K, numbers((HEADS + 2 * KV_HEADS) * K, 0.3));
        norm = new Norm(Norm.Kind.RMS, b.buffer(1, D, numbers(D, 1)), null, 1e-5f, 0);
        Norm queries = new Norm(Norm.Kind.RMS, b.buffer(1, HEADS * K, numbers(HEADS * K, 1)), null, 1e-5f, 0);
        Norm keys = new Norm(Norm.Kind.RMS, b.buffer(1, KV_HEADS * K, numbers(KV_HEADS * K, 1)), null, 1e-5f, 0);
        headNorms = new HeadNorms(queries, keys, HeadNorms.Span.ALL);
        rope = new RopeTable(K / 2, numbers(POSITIONS * K / 2, 1), numbers(POSITIONS * K / 2, 1));
        kv = b.kvPages(1, KV_HEADS, K, operand);
        grow(rows);
    }

    float[] numbers(int n, double scale) {
        float[] a = new float[n];
        for (int i = 0; i < n; i++) {
            a[i] = (float) (scale * random.nextGaussian());
        }
        return a;
    }

    private Matrix weight(int n, int k, WeightFormat format) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * n * k).order(ByteOrder.LITTLE_ENDIAN);
        for (float v : numbers(n * k, 1 / Math.sqrt(k))) {
            bytes.putFloat(v);
        }
        MemorySegment data = MemorySegment.ofArray(bytes.array());
        return b.matrix(List.of(new TensorView("w", DType.F32, new long[] {n, k}, data, "test")), format);
    }

    /** New buffers for so many rows. */
    void grow(int rows) {
        s = new Scratch(
                b.buffer(rows, D),
                b.buffer(rows, D, operand),
                b.buffer(rows, (HEADS + 2 * KV_HEADS) * K),
                b.buffer(rows, HEADS * K, operand),
                b.buffer(rows, D),
                b.buffer(rows, 2 * F),
                b.buffer(rows, F, operand),
                b.buffer(rows, D),
                b.buffer(rows, D, operand),
                b.buffer(rows, V));
    }

    private int[] pagesOf(int sequence, int positions) {
        while (pages.size() <= sequence) {
            pages.add(new ArrayList<>());
        }
        List<Integer> mine = pages.get(sequence);
        while (mine.size() * KvPages.PAGE < positions) {
            mine.add(kv.allocate());
        }
        return mine.stream().mapToInt(i -> i).toArray();
    }

    /** A step with one row for each of these sequences; logits [rows, V]. */
    float[] decode(int[] sequences, int[] ids, int[] positions, Steering steering) {
        return decode(sequences, ids, positions, steering, 0);
    }

    /** @param longest what the shape says of positions, if more than there are */
    float[] decode(int[] sequences, int[] ids, int[] positions, Steering steering, int longest) {
        int n = sequences.length;
        int[][] tables = new int[n][];
        int[] sequence = new int[n];
        int most = longest;
        for (int t = 0; t < n; t++) {
            sequence[t] = t;
            tables[t] = pagesOf(sequences[t], positions[t] + 1);
            most = Math.max(most, positions[t] + 1);
        }
        Rows rows = new Rows(n, positions, sequence, tables);
        b.step(new StepShape(n, n, true, most), () -> run(ids, rows, steering));
        float[] out = new float[n * V];
        b.read(s.logits, 0, n, out, 0);
        return out;
    }

    private void run(int[] ids, Rows rows, Steering steering) {
        int n = rows.count();
        b.embed(table, ids, n, 1, s.x);
        b.site(s.x, null, n, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, norm, s.normed);
        b.matmul(s.normed, n, qkvWeight, bias, s.qkv);
        b.prepareAttention(s.qkv, rows, spec, headNorms, rope, kv, 0);
        b.attend(s.qkv, rows, 0, kv, 0, spec, s.attn);
        b.matmul(s.attn, n, outWeight, null, s.delta);
        ModuleOutput attention = new ModuleOutput(s.delta, steering.out, null, 0.75f, steering.write);
        b.site(s.x, attention, n, steering.edits, steering.taps, steering.after, norm, s.normed);
        b.matmul(s.normed, n, gateUpWeight, null, s.gateUp);
        b.gatedActivation(s.gateUp, n, Activation.SILU, s.act);
        b.matmul(s.act, n, downWeight, null, s.delta);
        b.site(s.x, ModuleOutput.of(s.delta), n, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, norm, s.last);
        int[] all = new int[n];
        Arrays.setAll(all, i -> i);
        b.gather(s.last, all, n, s.selected);
        b.matmul(s.selected, n, table, null, s.logits);
        b.scaleAndCap(s.logits, n, 0.5f, 20);
    }
}
