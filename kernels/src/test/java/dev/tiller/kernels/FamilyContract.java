package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tiller.kernels.HeadNorms.Span;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What the operations owe that only some families of models need. */
interface FamilyContract {
    Backend open();

    int MOST_POSITIONS = 40;

    /** One layer: its shape, norms, table and rows, the same on both backends. */
    final class Layer {
        final Duo duo;
        final AttentionSpec spec;
        final RopeTable table;
        final Rows[] rows = new Rows[2];
        final KvPages[] kv = new KvPages[2];
        final HeadNorms[] norms = new HeadNorms[2];
        final Buffer[] qkv;
        final Span span;
        final Norm.Kind kind;

        Layer(Duo duo, int headDim, int count) {
            this.duo = duo;
            int g = duo.pick(1, 2, 3);
            spec = new AttentionSpec(g * duo.pick(1, 2, 3), g, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
            int half = duo.random.nextBoolean() ? headDim / 2 : Math.max(1, headDim / 4);
            float[] cos = duo.numbers(2 * MOST_POSITIONS * half);
            table = duo.pick(0, 1, 2) == 0 ? null : new RopeTable(half, cos, duo.numbers(cos.length));
            span = duo.pick(0, 1, 2, 3) == 0 ? null : Span.values()[duo.random.nextInt(3)];
            kind = duo.random.nextBoolean() ? Norm.Kind.RMS : Norm.Kind.LAYER;
            int[] position = new int[count];
            int[] angle = duo.random.nextBoolean() ? new int[count] : null;
            for (int t = 0; t < count; t++) {
                position[t] = t;
                if (angle != null) {
                    angle[t] = duo.random.nextInt(2 * MOST_POSITIONS);
                }
            }
            int columns = (spec.heads() + 2 * g) * headDim;
            qkv = duo.random(count + 1, columns + duo.pick(0, 1, 4));
            Buffer[] query = duo.random(1, (span == Span.HEAD ? 1 : spec.heads()) * headDim);
            Buffer[] key = duo.random(1, (span == Span.HEAD ? 1 : g) * headDim);
            float offset = duo.pick(0, 1);
            duo.both(i -> {
                kv[i] = duo.b[i].kvPages(2, g, headDim, WeightFormat.F32);
                int[] pages = new int[Math.ceilDiv(MOST_POSITIONS, KvPages.PAGE)];
                for (int p = 0; p < pages.length; p++) {
                    pages[p] = kv[i].allocate();
                }
                rows[i] = new Rows(count, position, new int[count], new int[][] {pages}, angle);
                Norm q = new Norm(kind, query[i], null, 1e-3f, offset);
                norms[i] = span == null ? null : new HeadNorms(q, new Norm(kind, key[i], null, 1e-3f, offset), span);
            });
        }

        int width() {
            return spec.heads() * spec.headDim();
        }

        String show() {
            return spec + ", " + (table == null ? "not rotated" : table.half() + " pairs") + ", norms " + span + " "
                    + kind + (rows[0].angle() == null ? "" : ", other angles");
        }

        void prepare(int i) {
            duo.b[i].prepareAttention(qkv[i], rows[i], spec, norms[i], table, kv[i], 1);
        }

        /** Query heads, as buffers of their own. */
        Buffer[] queries() {
            Buffer[] found = new Buffer[2];
            duo.both(i -> {
                float[] all = duo.read(qkv, i);
                int n = rows[i].count();
                float[] kept = new float[n * width()];
                for (int t = 0; t < n; t++) {
                    System.arraycopy(all, t * qkv[i].columns(), kept, t * width(), width());
                }
                found[i] = duo.b[i].buffer(n, width(), kept);
            });
            return found;
        }

        /** What attention makes of the keys and values stored, for the same queries on both backends. */
        Buffer[] attended(Buffer[] queries) {
            Buffer[] out = duo.buffers(rows[0].count(), width());
            float[] same = duo.read(queries, 1);
            duo.both(i -> {
                Buffer q = duo.b[i].buffer(rows[i].count(), width(), same);
                duo.b[i].attend(q, rows[i], 0, kv[i], 1, spec, out[i]);
            });
            return out;
        }
    }

    @Test
    default void prepareAttentionAgreesWithTheOracle() {
        for (int seed = 0; seed < 60; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                Layer layer =
                        new Layer(duo, duo.pick(4, 8, 12, 20, 24, 60, 64, 80, 96, 128, 256), duo.pick(1, 2, 7, 40));
                float[] before = duo.read(layer.qkv, 0);
                duo.both(layer::prepare);
                Buffer[] queries = layer.queries();
                duo.close("queries, " + layer.show(), queries, 4e-6, 1);
                duo.close("attention, " + layer.show(), layer.attended(queries), 4e-5, 1);
                assertOutside(layer, before, duo.read(layer.qkv, 0));
            }
        }
    }

    private static void assertOutside(Layer layer, float[] before, float[] after) {
        int columns = layer.qkv[0].columns();
        int values = layer.width() + layer.spec.kvHeads() * layer.spec.headDim();
        for (int i = 0; i < before.length; i++) {
            if (i / columns >= layer.rows[0].count() || i % columns >= values) {
                assertEquals(before[i], after[i], "touched column " + i % columns + ", " + layer.duo.name);
            }
        }
    }

    @Test
    default void aPreparedRowDoesNotDependOnTheOthers() {
        for (int seed = 0; seed < 12; seed++) {
            try (Duo duo = new Duo(open(), seed)) {
                Layer layer = new Layer(duo, duo.pick(20, 64, 96), 40);
                Backend b = duo.b[0];
                int columns = layer.qkv[0].columns();
                float[] values = duo.read(layer.qkv, 0);
                layer.prepare(0);
                float[] all = Duo.read(b, layer.qkv[0]);
                Buffer out = b.buffer(40, layer.width());
                b.attend(layer.qkv[0], layer.rows[0], 0, layer.kv[0], 1, layer.spec, out);
                float[] attended = Duo.read(b, out);
                for (int t = 0; t < 40; t++) {
                    Buffer x = b.buffer(1, columns, Duo.row(values, t, columns));
                    int[] angle = {layer.rows[0].angles()[t]};
                    Rows one = new Rows(1, new int[] {t}, new int[1], layer.rows[0].pages(), angle);
                    b.prepareAttention(x, one, layer.spec, layer.norms[0], layer.table, layer.kv[0], 1);
                    b.attend(x, one, 0, layer.kv[0], 1, layer.spec, out);
                    String what = "row " + t + ", " + layer.show() + ", " + duo.name;
                    float[] queries = Arrays.copyOf(Duo.read(b, x), layer.width());
                    Duo.same(what, Arrays.copyOf(Duo.row(all, t, columns), layer.width()), queries);
                    float[] found = Duo.row(Duo.read(b, out), 0, layer.width());
                    Duo.same(what, Duo.row(attended, t, layer.width()), found);
                }
            }
        }
    }

    /** Two query heads 1 1 and 7 7, a key head 2 2, a value 5 6, weights 1 2 3 4. */
    @Test
    default void spansOfHeadNormsHaveTheirClosedForms() {
        float[][] expected = {{1, 2, 1, 2}, {1, 2, 3, 4}, {0.2f, 0.4f, 4.2f, 5.6f}};
        for (Span span : Span.values()) {
            try (Backend b = open()) {
                int width = span == Span.HEAD ? 2 : 4;
                Buffer x = b.buffer(1, 8, new float[] {1, 1, 7, 7, 2, 2, 5, 6});
                Norm query = new Norm(
                        Norm.Kind.RMS, b.buffer(1, width, Arrays.copyOf(new float[] {1, 2, 3, 4}, width)), null, 0, 0);
                Norm key = new Norm(Norm.Kind.RMS, b.buffer(1, 2, new float[] {1, 2}), null, 0, 0);
                KvPages kv = b.kvPages(1, 1, 2, WeightFormat.F32);
                Rows rows = new Rows(1, new int[1], new int[1], new int[][] {{kv.allocate()}});
                b.prepareAttention(
                        x, rows, new AttentionSpec(2, 1, 2, 1, 0, 0), new HeadNorms(query, key, span), null, kv, 0);
                float[] found = Arrays.copyOf(Duo.read(b, x), 4);
                assertArrayEquals(expected[span.ordinal()], found, 1e-6f, span + ", " + b.description());
                Buffer out = b.buffer(1, 4);
                b.attend(x, rows, 0, kv, 0, new AttentionSpec(2, 1, 2, 1, 0, 0), out);
                assertArrayEquals(new float[] {5, 6, 5, 6}, Duo.read(b, out), span.toString());
            }
        }
    }

    @Test
    default void ropeGoesByTheAngleNotByThePosition() {
        try (Duo duo = new Duo(open(), 3)) {
            Backend b = duo.b[0];
            RopeTable table = new RopeTable(6, duo.numbers(60), duo.numbers(60));
            float[] values = duo.numbers(3 * 24);
            int[] angle = {9, 0, 4};
            Buffer x = b.buffer(3, 24, values);
            Buffer y = b.buffer(3, 24, values);
            b.rope(x, new Rows(3, new int[] {70000, 3, 4}, new int[3], new int[1][0], angle), 0, 2, 12, table);
            b.rope(y, new Rows(3, angle, new int[3], new int[1][0]), 0, 2, 12, table);
            Duo.same(duo.name, Duo.read(b, y), Duo.read(b, x));
        }
    }

    @Test
    default void activationAgreesWithTheOracle() {
        for (int f : new int[] {1, 3, 15, 16, 65, 576, 2049}) {
            for (Activation activation : Activation.values()) {
                try (Duo duo = new Duo(open(), f)) {
                    int rows = duo.pick(1, 2, 7);
                    float[] values = duo.numbers(rows * f);
                    for (int i = 0; i < values.length; i++) {
                        values[i] *= duo.pick(1, 1, 10, 100);
                    }
                    Buffer[] x = duo.buffers(rows, f, values);
                    Buffer[] out = duo.random(rows + 1, f);
                    duo.both(i -> duo.b[i].activation(x[i], rows, activation, out[i]));
                    float[] found = duo.read(out, 0);
                    float[] expected = duo.read(out, 1);
                    for (int i = 0; i < found.length; i++) {
                        double size = i < values.length ? 1e-6 * Math.max(0.1, Math.abs(values[i])) : 0;
                        duo.close(activation + " of element " + i, found[i], expected[i], size);
                    }
                    Duo.same("x", values, duo.read(x, 0));
                }
            }
        }
    }

    @Test
    default void scaleAndCapAgreesWithTheOracle() {
        for (int n : new int[] {1, 3, 15, 16, 65, 576, 2049}) {
            for (float cap : new float[] {0, 3, 30}) {
                try (Duo duo = new Duo(open(), n)) {
                    int rows = duo.pick(1, 2, 7);
                    float scale = cap == 3 ? 1 : -0.125f;
                    Buffer[] x = duo.random(rows + 1, n);
                    float[] before = duo.read(x, 0);
                    duo.both(i -> duo.b[i].scaleAndCap(x[i], rows, scale, cap));
                    duo.close("scale " + scale + ", cap " + cap + " of " + n, x, 1e-6, 0.1);
                    Duo.same("beyond", Duo.row(before, rows, n), Duo.row(duo.read(x, 0), rows, n));
                }
            }
        }
    }

    @Test
    default void scaleAndCapOfLogitsHaveTheirClosedForms() {
        try (Backend b = open()) {
            Buffer x = b.buffer(1, 4, new float[] {0, 4, -1e30f, 8});
            b.scaleAndCap(x, 1, 0.5f, 2);
            float[] expected = {0, 2 * (float) Math.tanh(1), -2, 2 * (float) Math.tanh(2)};
            assertArrayEquals(expected, Duo.read(b, x), 5e-7f, b.description());
            b.write(new float[] {0, 4, -1e30f, 8}, 0, x, 0, 1);
            b.scaleAndCap(x, 1, 0.5f, 0);
            assertArrayEquals(new float[] {0, 2, -0.5e30f, 4}, Duo.read(b, x));
        }
    }

    @Test
    default void elementsDoNotDependOnTheRestOfTheCall() {
        try (Duo duo = new Duo(open(), 5)) {
            Backend b = duo.b[0];
            int d = 111;
            float[] values = duo.numbers(50 * d);
            Buffer capped = b.buffer(50, d, values);
            Buffer active = b.buffer(50, d);
            b.activation(capped, 50, Activation.GELU_TANH, active);
            b.scaleAndCap(capped, 50, 1.5f, 2);
            float[] allCapped = Duo.read(b, capped);
            float[] allActive = Duo.read(b, active);
            for (int t = 0; t < 50; t++) {
                Buffer x = b.buffer(1, d, Duo.row(values, t, d));
                b.activation(x, 1, Activation.GELU_TANH, active);
                b.scaleAndCap(x, 1, 1.5f, 2);
                Duo.same("cap, row " + t, Duo.row(allCapped, t, d), Duo.read(b, x));
                Duo.same("activation, row " + t, Duo.row(allActive, t, d), Duo.row(Duo.read(b, active), 0, d));
            }
        }
    }

    @Test
    default void familyArgumentsThatDoNotFitAreRefused() {
        try (Backend b = open();
                Backend other = open()) {
            Map<String, Executable> calls = new LinkedHashMap<>();
            float[] ones = new float[32];
            Arrays.fill(ones, 1);
            Buffer x = b.buffer(2, 16, ones);
            Buffer out = b.buffer(2, 16);
            Buffer wide = b.buffer(2, 17);
            calls.put("no activation", () -> b.activation(x, 2, null, out));
            calls.put("activation width", () -> b.activation(x, 2, Activation.SILU, wide));
            calls.put("activation in place", () -> b.activation(x, 2, Activation.SILU, x));
            calls.put("activation rows", () -> b.activation(x, 3, Activation.SILU, out));
            calls.put("foreign x", () -> b.activation(other.buffer(2, 16), 2, Activation.SILU, out));
            calls.put("rows to scale", () -> b.scaleAndCap(x, 3, 1, 0));
            calls.put("negative cap", () -> b.scaleAndCap(x, 2, 2, -1));
            calls.put("no scale", () -> b.scaleAndCap(x, 2, Float.NaN, 0));
            ModuleOutput scaled = new ModuleOutput(x, EditTable.NONE, null, Float.NaN, EditTable.NONE);
            calls.put(
                    "module scale",
                    () -> b.site(out, scaled, 2, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, null, null));
            KvPages kv = b.kvPages(1, 1, 4, WeightFormat.F32);
            Rows one = new Rows(1, new int[1], new int[1], new int[][] {{kv.allocate()}});
            AttentionSpec spec = new AttentionSpec(2, 1, 4, 1, 0, 0);
            RopeTable table = new RopeTable(2, new float[8], new float[8]);
            Norm four = new Norm(Norm.Kind.RMS, b.buffer(1, 4), null, 0, 0);
            Norm eight = new Norm(Norm.Kind.RMS, b.buffer(1, 8), null, 0, 0);
            norms(calls, "query width", b, x, one, spec, new HeadNorms(eight, four, Span.HEAD), table, kv);
            norms(calls, "own width", b, x, one, spec, new HeadNorms(four, four, Span.OWN), table, kv);
            norms(calls, "width of all", b, x, one, spec, new HeadNorms(eight, eight, Span.ALL), table, kv);
            norms(calls, "no span", b, x, one, spec, new HeadNorms(four, four, null), table, kv);
            norms(calls, "no key norm", b, x, one, spec, new HeadNorms(four, null, Span.HEAD), table, kv);
            Norm layer = new Norm(Norm.Kind.LAYER, four.weight(), null, 0, 0);
            norms(calls, "two kinds", b, x, one, spec, new HeadNorms(four, layer, Span.HEAD), table, kv);
            Norm biased = new Norm(Norm.Kind.RMS, four.weight(), four.weight(), 0, 0);
            norms(calls, "bias", b, x, one, spec, new HeadNorms(biased, four, Span.HEAD), table, kv);
            norms(calls, "pages", b, x, one, new AttentionSpec(1, 1, 2, 1, 0, 0), null, null, kv);
            norms(calls, "columns", b, x, one, new AttentionSpec(3, 1, 4, 1, 0, 0), null, null, kv);
            Rows far = new Rows(1, new int[1], new int[1], one.pages(), new int[] {4});
            norms(calls, "angle beyond", b, x, far, spec, null, table, kv);
            Rows few = new Rows(1, new int[1], new int[1], one.pages(), new int[0]);
            norms(calls, "angles too few", b, x, few, spec, null, table, kv);
            calls.forEach((name, call) -> {
                IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call, name);
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                assertArrayEquals(ones, Duo.read(b, x), name + " wrote something");
            });
        }
    }

    private static void norms(
            Map<String, Executable> calls,
            String name,
            Backend b,
            Buffer x,
            Rows rows,
            AttentionSpec spec,
            HeadNorms norms,
            RopeTable table,
            KvPages kv) {
        calls.put(name, () -> b.prepareAttention(x, rows, spec, norms, table, kv, 0));
    }

    @Test
    default void noRowsAreNoWorkForFamilies() {
        try (Backend b = open()) {
            Buffer x = b.buffer(1, 16);
            Buffer out = b.buffer(1, 16);
            KvPages kv = b.kvPages(1, 1, 4, WeightFormat.F32);
            Rows none = new Rows(0, new int[0], new int[0], new int[0][]);
            b.prepareAttention(x, none, new AttentionSpec(2, 1, 4, 1, 0, 0), null, null, kv, 0);
            b.activation(x, 0, Activation.SILU, out);
            b.scaleAndCap(x, 0, 2, 1);
            assertArrayEquals(new float[16], Duo.read(b, out));
        }
    }
}
