package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Draws;
import dev.tiller.kernels.WeightFormat;
import java.util.ArrayList;
import java.util.List;

/** Drawing a token from logits. */
final class SampleCases {
    private SampleCases() {}

    static Operation operation() {
        return new Operation(
                "sample",
                "temperature, top-k, top-p, min-p, then a draw in the order of ids",
                "sample",
                "sample",
                "the same token, unless u lies within 1e-5 of the border between two",
                List.of("rows", "vocabulary"),
                List.of(new int[] {1, 128256}, new int[] {64, 128256}),
                false,
                List.of("sample"),
                true,
                cases(),
                (s, f) -> of(0, s[0], s[1]));
    }

    private static List<LabCase> cases() {
        List<LabCase> cases = new ArrayList<>();
        for (int seed = 0; seed < 40; seed++) {
            Numbers n = new Numbers(seed);
            cases.add(of(seed, n.pick(1, 3, 8), n.pick(1, 2, 5, 64, 111, 1000)));
        }
        return cases;
    }

    private static LabCase of(int seed, int rows, int vocabulary) {
        String name = rows + " rows of " + vocabulary + ", seed " + seed;
        return new LabCase(name, WeightFormat.F32, 4.0 * rows * vocabulary, 0, b -> prepare(b, seed, rows, vocabulary));
    }

    private static LabCase.Prepared prepare(Backend b, int seed, int rows, int vocabulary) {
        Numbers n = new Numbers(seed);
        float[] logits = n.normal(rows * vocabulary);
        Draws draws = new Draws(new float[rows], new int[rows], new double[rows], new double[rows], new double[rows]);
        for (int t = 0; t < rows; t++) {
            draws.temperature()[t] = n.pick(0, 1, 1, 2) * 0.7f;
            draws.topK()[t] = n.pick(0, 0, 1, 3, 40);
            draws.topP()[t] = n.pick(0, 1) == 0 ? 1 : 0.1 + 0.8 * n.uniform();
            draws.minP()[t] = n.pick(0, 1) == 0 ? 0 : 0.3 * n.uniform();
            draws.u()[t] = n.uniform();
        }
        Buffer x = b.buffer(rows, vocabulary, logits);
        int[] out = new int[rows];
        return new Call(() -> b.sample(x, rows, draws, out), () -> List.of(Numbers.output("token", out)));
    }
}
