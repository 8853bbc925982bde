package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** The residual site: module output, edits, taps and the norm that follows, in all mixtures. */
final class SiteCases {
    private SiteCases() {}

    static Operation operation() {
        return new Operation(
                "site",
                "residual += scaled module output; edits; projections, copies, sums; edits; norm",
                "site",
                "site",
                "90 (4 + sqrt d) 2^-24 of the row's largest element; normed twice that, plus the operand's rounding",
                List.of("rows", "width", "edits"),
                List.of(new int[] {1, 4096, 0}, new int[] {1, 4096, 1}, new int[] {1, 4096, 3}, new int[] {64, 4096, 1
                }),
                true,
                List.of("site"),
                false,
                cases(),
                SiteCases::benchmark);
    }

    private static List<LabCase> cases() {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat operand : WeightFormat.PLAIN) {
            for (int seed = 0; seed < 40; seed++) {
                cases.add(random(seed, operand));
            }
        }
        return cases;
    }

    private static LabCase random(int seed, WeightFormat operand) {
        Numbers shape = new Numbers(seed);
        int rows = shape.pick(1, 2, 3, 7, 8, 13, 17);
        int d = shape.pick(16, 60, 64, 65, 96, 111, 576, 2048);
        String name = rows + " rows of " + d + " to " + operand + ", seed " + seed;
        return new LabCase(name, operand, 0, 0, b -> new Mixed(b, seed, rows, d, operand));
    }

    /** Everything that a site call can do, switched on and off by the seed. */
    private static final class Mixed implements LabCase.Prepared {
        private final Backend b;
        private final int rows;
        private final int d;
        private final Buffer x;
        private final ModuleOutput module;
        private final EditTable edits;
        private final SiteTaps taps;
        private final EditTable after;
        private final Norm norm;
        private final Buffer normed;
        private final double rounding;

        Mixed(Backend b, long seed, int rows, int d, WeightFormat operand) {
            Numbers n = new Numbers(seed + 1000);
            this.b = b;
            this.rows = rows;
            this.d = d;
            x = b.buffer(rows + 1, d, n.normal((rows + 1) * d));
            Buffer delta = b.buffer(rows, d, n.normal(rows * d));
            boolean plain = seed % 4 == 0; // nothing but the step that every block of every model takes
            EditTable out = edits(b, n, rows, d);
            EditTable write = edits(b, n, rows, d);
            Norm.Kind kind = n.coin() ? Norm.Kind.RMS : Norm.Kind.LAYER;
            Norm deltaNorm = n.coin() ? new Norm(kind, b.buffer(1, d, n.normal(d)), null, 1e-5f, 1) : null;
            float scale = n.pick(1, 1, 2, -1) / (float) n.pick(1, 3);
            ModuleOutput mixed = n.pick(0, 1, 2) == 0 ? null : new ModuleOutput(delta, out, deltaNorm, scale, write);
            module = plain ? ModuleOutput.of(delta) : mixed;
            edits = edits(b, n, rows, d);
            EditTable next = edits(b, n, rows, d);
            after = plain ? EditTable.NONE : next;
            taps = plain ? SiteTaps.NONE : taps(n);
            Buffer weight = b.buffer(1, d, n.normal(d));
            Buffer bias = n.coin() && !plain ? b.buffer(1, d, n.normal(d)) : null;
            Norm.Kind last = n.coin() || plain ? Norm.Kind.RMS : Norm.Kind.LAYER;
            boolean normed = n.pick(0, 1, 2) > 0 || plain;
            norm = normed ? new Norm(last, weight, bias, 1e-5f, n.pick(0, 1)) : null;
            this.normed = normed ? b.buffer(rows + 1, d, b.operandFormat(operand)) : null;
            rounding = Numbers.rounding(b, operand);
        }

        private SiteTaps taps(Numbers n) {
            Buffer copies = n.coin() ? b.buffer(rows, d, n.normal(rows * d)) : null;
            int p = n.pick(1, 3, 8, 11);
            Buffer probes = n.coin() ? b.buffer(p, d, n.normal(p * d)) : null;
            Buffer projections = probes == null ? null : b.buffer(rows, p);
            Buffer sums = n.coin() ? b.buffer(3, d, n.normal(3 * d)) : null;
            int[] start = IntStream.rangeClosed(0, rows).map(t -> 2 * t).toArray();
            return new SiteTaps(copies, probes, projections, sums, start, n.ints(2 * rows, 3));
        }

        @Override
        public void call() {
            b.site(x, module, rows, edits, taps, after, norm, normed);
        }

        @Override
        public List<LabCase.Output> outputs() {
            // up to 40 edits of size |v| = sqrt(d), each with a dot product over d
            double tolerance = 90 * (4 + Math.sqrt(d)) * Numbers.EPS;
            List<LabCase.Output> all = new ArrayList<>();
            all.add(Numbers.output("residual", b, x, tolerance));
            if (taps.rows() != null) {
                all.add(Numbers.output("copied rows", b, taps.rows(), tolerance));
            }
            if (taps.projections() != null) {
                all.add(Numbers.output("projections", b, taps.projections(), tolerance * Math.sqrt(d) * 4));
            }
            if (taps.sums() != null) {
                all.add(Numbers.output("sums", b, taps.sums(), tolerance * 4));
            }
            if (normed != null) {
                all.add(Numbers.output("normed", b, normed, tolerance * 2 + rounding));
            }
            return all;
        }
    }

    /** Edits for some rows, or none. */
    private static EditTable edits(Backend b, Numbers n, int rows, int d) {
        if (n.pick(0, 1, 2) == 0) {
            return EditTable.NONE;
        }
        RandomEdits random = new RandomEdits(n.random(), rows, d);
        Buffer gates = b.buffer(rows, RandomEdits.GATES);
        return random.table(b.buffer(random.count(), d, random.directions()), gates);
    }

    /** The plain case of a decoding step: add the module's output, so many additive edits a row, RMS norm. */
    private static LabCase benchmark(int[] shape, WeightFormat operand) {
        int rows = shape[0];
        int d = shape[1];
        int edits = shape[2];
        Function<Backend, LabCase.Prepared> setting = b -> {
            Numbers n = new Numbers(1);
            Buffer x = b.buffer(rows, d, n.normal(rows * d));
            Buffer delta = b.buffer(rows, d, new float[rows * d]);
            Norm norm = new Norm(Norm.Kind.RMS, b.buffer(1, d, n.normal(d)), null, 1e-5f, 0);
            Buffer normed = b.buffer(rows, d, b.operandFormat(operand));
            EditTable table = edits == 0 ? EditTable.NONE : additive(b, n, rows, d, edits);
            ModuleOutput module = ModuleOutput.of(delta);
            return new Call(
                    () -> b.site(x, module, rows, table, SiteTaps.NONE, EditTable.NONE, norm, normed),
                    () -> List.of(Numbers.output("normed", b, normed, 0)));
        };
        // reads residual and module output, writes residual and normed; directions are shared by the rows
        double bytes = (double) rows * d * (4 + 4 + 4 + operand.bytes()) + 4.0 * d * (1 + edits);
        return new LabCase(
                Operation.show(shape), operand, bytes, (double) rows * d * (5 + 2.0 * edits), setting::apply);
    }

    /** Small coefficients that change sign, so that a residual edited a million times stays finite. */
    private static EditTable additive(Backend b, Numbers n, int rows, int d, int edits) {
        Kind[] kinds = new Kind[edits];
        Arrays.fill(kinds, Kind.ADD);
        int[] start = IntStream.rangeClosed(0, rows).map(t -> t * edits).toArray();
        int[] edit = IntStream.range(0, rows * edits).map(i -> i % edits).toArray();
        float[] coefficient = new float[rows * edits];
        Arrays.fill(coefficient, 1e-6f);
        Buffer directions = b.buffer(edits, d, n.normal(edits * d));
        return new EditTable(kinds, directions, new float[edits], new float[edits], start, edit, coefficient);
    }
}
