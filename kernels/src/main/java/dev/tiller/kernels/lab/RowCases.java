package dev.tiller.kernels.lab;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.RopeTable;
import dev.tiller.kernels.Rows;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.List;

/** Operations on single rows. */
final class RowCases {
    private static final int[] WIDTHS = {1, 2, 3, 7, 12, 15, 16, 17, 60, 64, 65, 96, 111, 576, 2048};

    private RowCases() {}

    /** A case from a seed. */
    private interface Seeded {
        LabCase at(int seed, WeightFormat operand);
    }

    private static List<LabCase> cases(int seeds, boolean typed, Seeded make) {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat operand : typed ? WeightFormat.PLAIN : List.of(WeightFormat.F32)) {
            for (int seed = 0; seed < seeds; seed++) {
                LabCase c = make.at(seed, operand);
                String name = c.name() + ", seed " + seed;
                cases.add(new LabCase(name, c.operand(), c.bytes(), c.flops(), c.setting()));
            }
        }
        return cases;
    }

    static Operation embed() {
        return new Operation(
                "embed",
                "rows of the embedding table, scaled",
                "embed",
                "embed",
                "exact for a scale that is a power of two, else 2^-23",
                List.of("rows", "width", "vocabulary"),
                List.of(new int[] {1, 4096, 32768}, new int[] {64, 4096, 32768}),
                true,
                List.of("embed"),
                false,
                cases(15, true, (seed, f) -> {
                    Numbers n = new Numbers(seed);
                    return embed(seed, n.pick(1, 2, 7, 64), WIDTHS[seed], n.pick(1, 5, 100), n.coin() ? 0.5f : 1.7f, f);
                }),
                (s, f) -> embed(0, s[0], s[1], s[2], 1, f));
    }

    private static LabCase embed(int seed, int rows, int d, int vocabulary, float scale, WeightFormat f) {
        double bytes = (double) rows * d * (4 + f.bytes());
        return new LabCase(rows + " of " + vocabulary + " rows of " + d + " in " + f, f, bytes, 0, b -> {
            Numbers n = new Numbers(seed);
            Matrix table = Numbers.matrix(b, vocabulary, d, f, n.normal(vocabulary * d, f));
            int[] ids = n.ints(rows, vocabulary);
            Buffer out = b.buffer(rows + 1, d, n.normal((rows + 1) * d));
            return new Call(
                    () -> b.embed(table, ids, rows, scale, out),
                    () -> List.of(Numbers.output("out", b, out, scale == 1.7f ? 2 * Numbers.EPS : 0)));
        });
    }

    static Operation norm() {
        return new Operation(
                "norm",
                "RMS or layer norm of each row",
                "norm",
                "norm",
                "2e-6 of the row's largest element (layer norms of width below 4: 1e-3)",
                List.of("rows", "width"),
                List.of(new int[] {1, 4096}, new int[] {64, 4096}),
                true,
                List.of("norm"),
                false,
                cases(30, true, (seed, f) -> {
                    Numbers n = new Numbers(seed);
                    return norm(seed, n.pick(1, 2, 7, 33), WIDTHS[seed / 2], Norm.Kind.values()[seed % 2], f);
                }),
                (s, f) -> norm(0, s[0], s[1], Norm.Kind.RMS, f));
    }

    private static LabCase norm(int seed, int rows, int d, Norm.Kind kind, WeightFormat f) {
        double bytes = (double) rows * d * (4 + f.bytes()) + 4.0 * d;
        String name = kind + ", " + rows + " rows of " + d + " to " + f;
        return new LabCase(name, f, bytes, 4.0 * rows * d, b -> {
            Numbers n = new Numbers(seed);
            Buffer x = b.buffer(rows, d, n.normal(rows * d));
            Buffer weight = b.buffer(1, d, n.normal(d));
            Buffer bias = n.coin() ? b.buffer(1, d, n.normal(d)) : null;
            Norm norm = new Norm(kind, weight, bias, 1e-5f, n.pick(0, 1));
            Buffer out = b.buffer(rows + 1, d, b.operandFormat(f)); // what lies behind the rows must stay
            double tolerance = kind == Norm.Kind.LAYER && d < 4 ? 1e-3 : 2e-6;
            double rounding = Numbers.rounding(b, f);
            return new Call(
                    () -> b.norm(x, rows, norm, out),
                    () -> List.of(Numbers.output("out", b, out, tolerance + rounding)));
        });
    }

    static Operation rope() {
        return new Operation(
                "rope",
                "rotation of consecutive heads by the row's position",
                "rope",
                "rope",
                "1e-6 of the row's largest element; what is not rotated exact",
                List.of("rows", "heads", "head width"),
                List.of(new int[] {1, 40, 128}, new int[] {64, 40, 128}),
                false,
                List.of("rope"),
                false,
                cases(40, false, (seed, f) -> {
                    Numbers n = new Numbers(seed);
                    int k = n.pick(2, 8, 12, 16, 32, 64, 80, 128);
                    int half = n.coin() ? k / 2 : Math.max(1, k / 4);
                    return rope(seed, n.pick(1, 2, 7, 64), n.pick(1, 3, 5), k, half, n.pick(0, 1, 64));
                }),
                (s, f) -> rope(0, s[0], s[1], s[2], s[2] / 2, 0));
    }

    private static LabCase rope(int seed, int rows, int heads, int k, int half, int column) {
        String name = rows + " rows, " + heads + " heads of " + k + ", " + half + " pairs, from column " + column;
        double bytes = 8.0 * rows * heads * k;
        return new LabCase(name, WeightFormat.F32, bytes, 3.0 * rows * heads * k, b -> {
            Numbers n = new Numbers(seed);
            RopeTable table = new RopeTable(half, n.normal(120 * half), n.normal(120 * half));
            Rows where = new Rows(rows, n.ints(rows, 120), new int[rows], new int[1][0]);
            int columns = column + heads * k + 3;
            Buffer x = b.buffer(rows + 1, columns, n.normal((rows + 1) * columns));
            return new Call(
                    () -> b.rope(x, where, column, heads, k, table), () -> List.of(Numbers.output("x", b, x, 1e-6)));
        });
    }

    static Operation gated() {
        return new Operation(
                "gated",
                "activation of the gate times up",
                "gated",
                "gated",
                "2e-6 of the row's largest element (at least of 1), plus the operand's rounding",
                List.of("rows", "ffn width"),
                List.of(new int[] {1, 14336}, new int[] {64, 14336}),
                true,
                List.of("gatedActivation"),
                false,
                cases(30, true, (seed, f) -> {
                    Numbers n = new Numbers(seed);
                    int kind = seed % Activation.values().length;
                    return gated(seed, n.pick(1, 2, 7, 33), WIDTHS[seed / 2], Activation.values()[kind], f);
                }),
                (s, f) -> gated(0, s[0], s[1], Activation.values()[0], f));
    }

    private static LabCase gated(int seed, int rows, int width, Activation activation, WeightFormat f) {
        String name = activation + ", " + rows + " rows of " + width + " to " + f;
        double bytes = (double) rows * width * (8 + f.bytes());
        return new LabCase(name, f, bytes, 6.0 * rows * width, b -> {
            Numbers n = new Numbers(seed);
            float[] values = n.normal(rows * 2 * width);
            for (int i = 0; i < values.length; i++) {
                values[i] *= n.pick(1, 1, 3, 30);
            }
            Buffer x = b.buffer(rows, 2 * width, values);
            Buffer out = b.buffer(rows + 1, width, b.operandFormat(f));
            double rounding = Numbers.rounding(b, f);
            return new Call(
                    () -> b.gatedActivation(x, rows, activation, out),
                    () -> List.of(new LabCase.Output("out", width, Numbers.read(b, out), 2e-6 + rounding, 1)));
        });
    }

    static Operation gather() {
        return new Operation(
                "gather",
                "chosen rows, rounded to the operand type",
                "gather",
                "gather",
                "exact, or the operand's rounding",
                List.of("rows", "width"),
                List.of(new int[] {1, 4096}, new int[] {64, 4096}),
                true,
                List.of("gather"),
                false,
                cases(15, true, (seed, f) -> gather(seed, new Numbers(seed).pick(1, 2, 7, 33), WIDTHS[seed], f)),
                (s, f) -> gather(0, s[0], s[1], f));
    }

    private static LabCase gather(int seed, int rows, int d, WeightFormat f) {
        double bytes = (double) rows * d * (4 + f.bytes());
        return new LabCase(rows + " rows of " + d + " to " + f, f, bytes, 0, b -> {
            Numbers n = new Numbers(seed);
            Buffer x = b.buffer(50, d, n.normal(50 * d));
            int[] index = n.ints(rows, 50);
            Buffer out = b.buffer(rows + 1, d, b.operandFormat(f)); // what lies behind the rows must stay
            return new Call(
                    () -> b.gather(x, index, rows, out),
                    () -> List.of(Numbers.output("out", b, out, Numbers.rounding(b, f))));
        });
    }

    static Operation argmax() {
        return new Operation(
                "argmax",
                "index of the largest element, the first on ties",
                "argmax",
                "argmax",
                "exact",
                List.of("rows", "columns"),
                List.of(new int[] {1, 128256}, new int[] {64, 128256}),
                false,
                List.of("argmax"),
                true,
                cases(30, false, (seed, f) -> argmax(seed, new Numbers(seed).pick(1, 2, 7), WIDTHS[seed / 2])),
                (s, f) -> argmax(0, s[0], s[1]));
    }

    private static LabCase argmax(int seed, int rows, int columns) {
        return new LabCase(rows + " rows of " + columns, WeightFormat.F32, 4.0 * rows * columns, 0, b -> {
            Numbers n = new Numbers(seed);
            float[] values = n.normal(rows * columns);
            for (int i = 0; i < values.length && seed % 2 == 1; i++) {
                values[i] = Math.round(values[i]); // ties
            }
            Buffer x = b.buffer(rows, columns, values);
            int[] out = new int[rows];
            return new Call(() -> b.argmax(x, rows, out), () -> List.of(Numbers.output("index", out)));
        });
    }

    static List<Operation> all() {
        return List.of(embed(), norm(), rope(), gated(), gather(), argmax());
    }
}
