package dev.tiller.kernels.lab;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Expert;
import dev.tiller.kernels.Mixture;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.List;

/** Operations that only some families of models need. */
final class FamilyCases {
    private static final int[] WIDTHS = {1, 3, 7, 16, 17, 60, 65, 111, 576, 2048};

    private FamilyCases() {}

    static List<Operation> all() {
        return List.of(activation(), scaleAndCap(), mixture());
    }

    private static Operation activation() {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat f : WeightFormat.PLAIN) {
            for (int seed = 0; seed < WIDTHS.length; seed++) {
                Activation kind = Activation.values()[seed % Activation.values().length];
                cases.add(activation(seed, new Numbers(seed).pick(1, 2, 7), WIDTHS[seed], kind, f));
            }
        }
        return new Operation(
                "activation",
                "activation of an MLP without a gate",
                "activation",
                "gated",
                "2e-6 of the row's largest element (at least of 1), plus the operand's rounding",
                List.of("rows", "ffn width"),
                List.of(new int[] {1, 8192}, new int[] {64, 8192}),
                true,
                List.of("activation"),
                false,
                cases,
                (s, f) -> activation(0, s[0], s[1], Activation.GELU, f));
    }

    private static LabCase activation(int seed, int rows, int width, Activation kind, WeightFormat f) {
        double bytes = (double) rows * width * (4 + f.bytes());
        String name = rows + " rows of " + width + ", " + kind + " to " + f + ", seed " + seed;
        return new LabCase(name, f, bytes, 5.0 * rows * width, b -> {
            Numbers n = new Numbers(seed);
            Buffer x = b.buffer(rows, width, n.normal(rows * width));
            Buffer out = b.buffer(rows + 1, width, b.operandFormat(f));
            double rounding = Numbers.rounding(b, f);
            return new Call(
                    () -> b.activation(x, rows, kind, out),
                    () -> List.of(new LabCase.Output("out", width, Numbers.read(b, out), 2e-6 + rounding, 1)));
        });
    }

    private static Operation scaleAndCap() {
        List<LabCase> cases = new ArrayList<>();
        for (int seed = 0; seed < 2 * WIDTHS.length; seed++) {
            Numbers n = new Numbers(seed);
            cases.add(scaleAndCap(seed, n.pick(1, 2, 7), WIDTHS[seed / 2], n.pick(1, 2, -3) / 8f, n.pick(0, 1, 30)));
        }
        return new Operation(
                "scale_cap",
                "scaled and soft-capped logits",
                "scale_cap",
                "gated",
                "1e-6 of the row's largest element (at least of 0.1)",
                List.of("rows", "columns"),
                List.of(new int[] {1, 128256}, new int[] {64, 128256}),
                false,
                List.of("scaleAndCap"),
                false,
                cases,
                (s, f) -> scaleAndCap(0, s[0], s[1], 1, 30));
    }

    private static LabCase scaleAndCap(int seed, int rows, int columns, float scale, float cap) {
        double bytes = 8.0 * rows * columns;
        String name = rows + " rows of " + columns + " times " + scale + ", cap " + cap + ", seed " + seed;
        return new LabCase(name, WeightFormat.F32, bytes, 10.0 * rows * columns, b -> {
            Numbers n = new Numbers(seed);
            Buffer x =
                    b.buffer(rows + 1, columns, n.normal((rows + 1) * columns)); // what lies behind the rows must stay
            return new Call(
                    () -> b.scaleAndCap(x, rows, scale, cap),
                    () -> List.of(new LabCase.Output("x", columns, Numbers.read(b, x), 1e-6, 0.1)));
        });
    }

    private static Operation mixture() {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat f : WeightFormat.PLAIN) {
            for (int seed = 0; seed < 12; seed++) {
                Numbers n = new Numbers(seed);
                int experts = n.pick(2, 5, 8);
                int[] shape = {
                    n.pick(1, 2, 7, 20), n.pick(16, 60, 65, 96), n.pick(5, 32, 65), experts, n.pick(1, 2, experts)
                };
                cases.add(mixture(seed, shape, f));
            }
        }
        return new Operation(
                "mixture",
                "a few of many gated MLPs for each row, chosen by its router",
                "mixture",
                "mixture",
                "8 (8 + sqrt d + sqrt f) 2^-24 of the row's largest element (at least of 1)",
                List.of("rows", "width", "ffn width", "experts", "chosen"),
                List.of(new int[] {1, 2048, 768, 32, 8}, new int[] {64, 2048, 768, 32, 8}),
                true,
                List.of("mixture"),
                false,
                cases,
                (s, f) -> mixture(0, s, f));
    }

    /** Standard normal inputs and weights that leave results of about that size. */
    private static LabCase mixture(int seed, int[] shape, WeightFormat format) {
        int rows = shape[0];
        int d = shape[1];
        int f = shape[2];
        int count = shape[3];
        int chosen = shape[4];
        String name = rows + " rows of " + d + " through " + chosen + " of " + count + " experts of " + f + " in "
                + format + ", seed " + seed;
        double weights = 3.0 * d * f * Math.min((double) rows * chosen, count);
        return new LabCase(name, format, weights * format.bytes(), 6.0 * rows * chosen * d * f, b -> {
            Numbers n = new Numbers(seed + 77);
            List<Expert> experts = new ArrayList<>();
            for (int e = 0; e < count; e++) {
                experts.add(new Expert(
                        Numbers.matrix(b, 2 * f, d, format, n.small(2 * f * d, d)),
                        Numbers.matrix(b, d, f, format, n.small(d * f, f))));
            }
            Mixture mixture = new Mixture(experts, chosen, n.coin(), Activation.SILU);
            Buffer x = Numbers.operand(b, rows, d, format, n.normal(rows * d, format));
            Buffer scores = b.buffer(rows, count, n.normal(rows * count));
            Buffer out = b.buffer(rows + 1, d, n.normal((rows + 1) * d));
            double tolerance = (8 + Math.sqrt(d) + Math.sqrt(f)) * 8 * Numbers.EPS;
            return new Call(
                    () -> b.mixture(x, rows, scores, mixture, out),
                    () -> List.of(new LabCase.Output("out", d, Numbers.read(b, out), tolerance, 1)));
        });
    }
}
