package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.List;

/** Products with a weight matrix. */
final class MatmulCases {
    private MatmulCases() {}

    static Operation operation() {
        return new Operation(
                "matmul",
                "rows times a weight matrix, plus bias",
                "gemv",
                "gemv",
                "4 (4 + sqrt k) 2^-24 of the row's largest element (at least of sqrt k)",
                List.of("rows", "outputs", "inputs"),
                List.of(new int[] {1, 4096, 4096}, new int[] {1, 28672, 4096}, new int[] {1, 4096, 14336}, new int[] {
                    8, 4096, 4096
                }),
                true,
                List.of("matmul"),
                false,
                cases(),
                (s, f) -> of(0, s[0], s[1], s[2], f));
    }

    private static List<LabCase> cases() {
        List<LabCase> cases = new ArrayList<>();
        for (WeightFormat format : WeightFormat.PLAIN) {
            for (int seed = 0; seed < 40; seed++) {
                Numbers n = new Numbers(seed);
                int rows = n.pick(1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 17, 40);
                int outputs = n.pick(1, 5, 16, 31, 32, 33, 60, 64, 65, 96, 111, 576);
                cases.add(of(seed, rows, outputs, n.pick(1, 2, 3, 7, 60, 64, 65, 96, 111, 576, 1024), format));
            }
        }
        return cases;
    }

    private static LabCase of(int seed, int rows, int outputs, int k, WeightFormat f) {
        double bytes = (double) outputs * k * f.bytes() + (double) rows * (k * f.bytes() + outputs * 4.0);
        String name = rows + " rows, " + outputs + " from " + k + " in " + f + ", seed " + seed;
        return new LabCase(name, f, bytes, 2.0 * rows * outputs * k, b -> prepare(b, seed, rows, outputs, k, f));
    }

    private static LabCase.Prepared prepare(Backend b, int seed, int rows, int outputs, int k, WeightFormat f) {
        Numbers n = new Numbers(seed);
        Matrix w = Numbers.matrix(b, outputs, k, f, n.normal(outputs * k, f));
        Buffer x = Numbers.operand(b, rows, k, f, n.normal(rows * k, f));
        Buffer bias = n.coin() ? b.buffer(1, outputs, n.normal(outputs)) : null;
        Buffer out = b.buffer(rows + 1, outputs, n.normal((rows + 1) * outputs));
        // numbers are standard normal: a sum has magnitude sqrt(k), its rounding errors grow like k at most
        double tolerance = (4 + Math.sqrt(k)) * Numbers.EPS * 4;
        return new Call(
                () -> b.matmul(x, rows, w, bias, out),
                () -> List.of(new LabCase.Output("out", outputs, Numbers.read(b, out), tolerance, Math.sqrt(k))));
    }
}
