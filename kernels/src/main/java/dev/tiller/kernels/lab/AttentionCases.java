package dev.tiller.kernels.lab;

import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Keys and values into pages, and attention over them. */
final class AttentionCases {
    private AttentionCases() {}

    /** Sequences of given lengths, of which each runs its last {@code fresh} positions in the call. */
    private record Shape(AttentionSpec spec, int[] lengths, int[] fresh, HeadNorms.Span norms, boolean rotated) {
        Shape(AttentionSpec spec, int[] lengths, int[] fresh) {
            this(spec, lengths, fresh, null, true);
        }

        int columns() {
            return (spec.heads() + 2 * spec.kvHeads()) * spec.headDim();
        }

        int width() {
            return spec.heads() * spec.headDim();
        }

        String show() {
            return spec.heads() + "/" + spec.kvHeads() + " heads of " + spec.headDim() + ", cap " + spec.softCap()
                    + ", window " + spec.window() + (norms == null ? "" : ", norms of " + norms)
                    + (rotated ? "" : ", not rotated") + ", lengths " + Arrays.toString(lengths) + ", last "
                    + Arrays.toString(fresh);
        }
    }

    static List<Operation> all() {
        return List.of(
                new Operation(
                        "append_kv",
                        "norms and rotation of queries and keys, storing of keys and values",
                        "rope_kv",
                        "rope",
                        "2e-6 of the largest attention output, plus the operand's rounding",
                        List.of("rows", "heads", "kv heads", "head width"),
                        List.of(new int[] {1, 32, 8, 128}, new int[] {64, 32, 8, 128}),
                        true,
                        List.of("prepareAttention", "appendKv"),
                        false,
                        cases(true, false),
                        (s, f) -> append(s, f)),
                new Operation(
                        "attend_decode",
                        "attention of one row of each sequence over its own past",
                        "attend_decode",
                        "attention",
                        "64 2^-24 of values of size 1, plus the operand's rounding",
                        List.of("sequences", "positions", "heads", "kv heads", "head width"),
                        List.of(new int[] {1, 1024, 32, 8, 128}, new int[] {64, 1024, 32, 8, 128}),
                        true,
                        List.of("attend"),
                        false,
                        cases(false, false),
                        (s, f) -> attend(s, 1, f)),
                new Operation(
                        "attend_prefill",
                        "causal attention of many rows of a sequence",
                        "attend_prefill",
                        "attention_prefill",
                        "64 2^-24 of values of size 1; in short types the rounding of queries, keys, values and weights",
                        List.of("rows", "positions", "heads", "kv heads", "head width"),
                        List.of(new int[] {512, 512, 32, 8, 128}, new int[] {512, 4096, 32, 8, 128}),
                        true,
                        List.of("attend"),
                        false,
                        cases(false, true),
                        (s, f) -> attend(new int[] {1, s[1], s[2], s[3], s[4]}, s[0], f)));
    }

    private static List<LabCase> cases(boolean append, boolean prefill) {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat operand : WeightFormat.PLAIN) {
            for (int seed = 0; seed < 24; seed++) {
                Shape shape = shape(new Numbers(seed), prefill);
                int s = seed;
                cases.add(new LabCase(
                        shape.show() + " in " + operand + ", seed " + seed,
                        operand,
                        0,
                        0,
                        b -> append
                                ? new Scene(b, s, shape, operand).preparing()
                                : new Scene(b, s, shape, operand).attending()));
            }
        }
        return cases;
    }

    private static Shape shape(Numbers n, boolean prefill) {
        int k = n.pick(2, 8, 12, 16, 32, 60, 64, 80, 96, 128);
        int g = n.pick(1, 2, 3);
        int group = n.pick(1, 2, 3, 4, 7);
        float scale = (float) (1 / Math.sqrt(k));
        AttentionSpec spec =
                new AttentionSpec(g * group, g, k, scale, n.pick(0, 0, 2, 50), n.pick(0, 0, 1, 5, 16, 17, 40));
        int[] lengths = {n.pick(1, 15, 16, 17, 70, 300), n.pick(2, 33, 64, 130), n.pick(1, 5)};
        int[] fresh = new int[3];
        for (int i = 0; i < 3; i++) {
            fresh[i] = prefill ? Math.min(lengths[i], n.pick(1, 2, 15, 16, 17, 70)) : 1;
        }
        HeadNorms.Span norms = n.coin() ? null : HeadNorms.Span.values()[n.pick(0, 1, 2)];
        return new Shape(spec, lengths, fresh, norms, n.pick(0, 1, 2, 3) > 0);
    }

    private static LabCase attend(int[] s, int fresh, WeightFormat f) {
        AttentionSpec spec = new AttentionSpec(s[2], s[3], s[4], (float) (1 / Math.sqrt(s[4])), 0, 0);
        int[] lengths = new int[s[0]];
        Arrays.fill(lengths, s[1]);
        int[] rows = new int[s[0]];
        Arrays.fill(rows, fresh);
        Shape shape = new Shape(spec, lengths, rows);
        double bytes = (double) s[0] * s[1] * 2 * s[3] * s[4] * f.bytes();
        double seen = s[1] - (fresh - 1) / 2.0;
        double flops = 4.0 * s[0] * fresh * seen * s[2] * s[4];
        return new LabCase(shape.show(), f, bytes, flops, b -> new Scene(b, 1, shape, f).attending());
    }

    private static LabCase append(int[] s, WeightFormat f) {
        AttentionSpec spec = new AttentionSpec(s[1], s[2], s[3], (float) (1 / Math.sqrt(s[3])), 0, 0);
        int[] ones = new int[s[0]];
        Arrays.fill(ones, 1);
        Shape shape = new Shape(spec, ones, ones);
        double bytes = (double) s[0] * s[3] * (8.0 * s[1] + 4.0 * s[2] + 4 * s[2] + 2.0 * s[2] * f.bytes());
        return new LabCase(shape.show(), f, bytes, 0, b -> new Scene(b, 1, shape, f).preparing());
    }

    /** A backend with filled pages. Numbers are such that the operand type holds them. */
    private static final class Scene {
        private final Backend b;
        private final Shape shape;
        private final WeightFormat kept;
        private final KvPages kv;
        private final int[][] pages;
        private final Rows rows;
        private final Buffer x;
        private final Buffer out;
        private final RopeTable angles;
        private final HeadNorms norms;

        Scene(Backend b, int seed, Shape shape, WeightFormat operand) {
            Numbers n = new Numbers(seed + 500);
            this.b = b;
            this.shape = shape;
            AttentionSpec spec = shape.spec;
            kept = b.operandFormat(operand);
            kv = b.kvPages(2, spec.kvHeads(), spec.headDim(), kept);
            pages = new int[shape.lengths.length][];
            int count = 0;
            for (int s = 0; s < pages.length; s++) {
                pages[s] = new int[Math.ceilDiv(shape.lengths[s], KvPages.PAGE)];
                for (int i = pages[s].length - 1; i >= 0; i--) {
                    pages[s][i] = kv.allocate();
                }
                count += shape.fresh[s];
            }
            int longest = Arrays.stream(shape.lengths).max().orElseThrow();
            int half = spec.headDim() / 2;
            RopeTable table = new RopeTable(half, n.normal(longest * half), n.normal(longest * half));
            angles = shape.rotated ? table : null;
            norms = shape.norms == null ? null : norms(n);
            int[] position = new int[count];
            int[] sequence = new int[count];
            x = b.buffer(count, shape.columns());
            out = b.buffer(count, shape.width(), kept);
            int t = 0;
            for (int s = 0; s < pages.length; s++) {
                float[] all = n.normal(shape.lengths[s] * shape.columns(), operand);
                store(s, all);
                for (int p = shape.lengths[s] - shape.fresh[s]; p < shape.lengths[s]; p++, t++) {
                    position[t] = p;
                    sequence[t] = s;
                    b.write(all, p * shape.columns(), x, t, 1);
                }
            }
            rows = new Rows(count, position, sequence, pages);
        }

        private HeadNorms norms(Numbers n) {
            boolean shared = shape.norms == HeadNorms.Span.HEAD;
            int k = shape.spec.headDim();
            int queries = shared ? k : shape.width();
            int keys = shared ? k : shape.spec.kvHeads() * k;
            Norm.Kind kind =
                    n.coin() || k < 8 ? Norm.Kind.RMS : Norm.Kind.LAYER; // few numbers less their mean are noise
            float offset = n.pick(0, 1);
            return new HeadNorms(
                    new Norm(kind, b.buffer(1, queries, n.normal(queries)), null, 1e-3f, offset),
                    new Norm(kind, b.buffer(1, keys, n.normal(keys)), null, 1e-3f, offset),
                    shape.norms);
        }

        /** Keys and values of a whole sequence, into the second block; into the first one something else. */
        private void store(int s, float[] all) {
            int n = shape.lengths[s];
            int[] position = new int[n];
            Arrays.setAll(position, p -> p);
            int[] sequence = new int[n];
            Arrays.fill(sequence, s);
            Buffer every = b.buffer(n, shape.columns(), all);
            Rows where = new Rows(n, position, sequence, pages);
            int keys = shape.width();
            int values = keys + shape.spec.kvHeads() * shape.spec.headDim();
            b.appendKv(every, where, values, keys, kv, 0);
            b.appendKv(every, where, keys, values, kv, 1);
        }

        LabCase.Prepared attending() {
            double size = kept == WeightFormat.F32 ? 64 * Numbers.EPS : rounding();
            return new Call(
                    () -> b.attend(x, rows, 0, kv, 1, shape.spec, out),
                    () -> List.of(Numbers.output("out", b, out, size)));
        }

        /** What is stored shows in the attention that follows. */
        LabCase.Prepared preparing() {
            return new Call(() -> b.prepareAttention(x, rows, shape.spec, norms, angles, kv, 1), () -> {
                b.attend(x, rows, 0, kv, 1, shape.spec, out);
                double size = kept == WeightFormat.F32 ? 2e-6 : rounding();
                return List.of(Numbers.output("out", b, out, size * 4), queries());
            });
        }

        /** Only queries are read from x again. */
        private LabCase.Output queries() {
            float[] all = Numbers.read(b, x);
            float[] kept = new float[rows.count() * shape.width()];
            for (int t = 0; t < rows.count(); t++) {
                System.arraycopy(all, t * shape.columns(), kept, t * shape.width(), shape.width());
            }
            return new LabCase.Output("queries", shape.width(), kept, 4e-6);
        }

        /** Rounded queries, keys and weights move a score by about its size times the rounding; the output follows. */
        private double rounding() {
            return 8 * (kept == WeightFormat.BF16 ? 0x1p-8 : 0x1p-11);
        }
    }
}
