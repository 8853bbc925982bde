package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.scalar.ScalarBackend;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;

/** Judges a backend by the scalar oracle. */
public final class Check {
    private Check() {}

    /**
     * The first element of a case that is off.
     *
     * @param where case, output, row and column
     * @param expected the oracle's number
     * @param found the number under test
     * @param allowed largest difference allowed
     */
    public record Fault(String where, float expected, float found, double allowed) {
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%s: expected %s within %.3g, found %s", where, expected, allowed, found);
        }
    }

    /**
     * Runs the cases of an operation.
     *
     * @param operands run only cases with these operand types
     * @param each told of each case: its fault, or null
     * @return number of cases that failed
     */
    public static int run(Operation operation, Backend tested, Set<WeightFormat> operands, Consumer<CaseResult> each) {
        int failed = 0;
        try (Backend oracle = new ScalarBackend("oracle")) {
            for (LabCase c : operation.cases()) {
                if (!operands.contains(c.operand())) {
                    continue;
                }
                Fault fault = compare(c, tested, oracle);
                failed += fault == null ? 0 : 1;
                each.accept(new CaseResult(c, fault));
            }
        }
        return failed;
    }

    /** A case and its fault, null if there is none. */
    public record CaseResult(LabCase labCase, Fault fault) {}

    /** Runs one case on both; the first element that is off, or null. */
    public static Fault compare(LabCase c, Backend tested, Backend oracle) {
        LabCase.Prepared right = c.setting().on(oracle);
        right.call();
        LabCase.Prepared left = c.setting().on(tested);
        left.call();
        List<LabCase.Output> expected = right.outputs();
        List<LabCase.Output> found = left.outputs();
        for (int i = 0; i < expected.size(); i++) {
            Fault fault = compare(c.name(), expected.get(i), found.get(i));
            if (fault != null) {
                return fault;
            }
        }
        return null;
    }

    private static Fault compare(String name, LabCase.Output expected, LabCase.Output found) {
        int n = expected.columns();
        for (int t = 0; t < expected.values().length / Math.max(1, n); t++) {
            double scale = expected.floor();
            for (int i = 0; i < n; i++) {
                scale = Math.max(scale, Math.abs(expected.values()[t * n + i]));
            }
            for (int i = 0; i < n; i++) {
                float e = expected.values()[t * n + i];
                float f = found.values()[t * n + i];
                double allowed = found.tolerance() * scale;
                if (!(Math.abs((double) f - e) <= allowed)) {
                    String where = name + ": " + expected.name() + " [" + t + ", " + i + "]";
                    return new Fault(where, e, f, allowed);
                }
            }
        }
        return null;
    }
}
