package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Calibration;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class KlSearchTest {
    private static final List<Double> TARGETS = List.of(0.1, 0.5, 1.0, 2.0);

    /** Coefficients measured until the search is over. */
    private static int run(KlSearch search, DoubleUnaryOperator divergence) {
        int measured = 0;
        for (List<Double> next = search.next(); !next.isEmpty(); next = search.next()) {
            for (double c : next) {
                search.learn(c, divergence.applyAsDouble(c));
                measured++;
            }
        }
        return measured;
    }

    private static double found(KlSearch search, double target) {
        return new Calibration(1, 0, 1, search.table()).coefficient(target, "");
    }

    @Test
    void everyTargetIsMetWhateverTheCurve() {
        List<DoubleUnaryOperator> curves = List.of(
                c -> c * c / 2,
                c -> 3 * (1 - Math.exp(-c * c)),
                c -> 1e-4 * Math.expm1(3 * c),
                c -> c < 0.7 ? 0.01 * c : 4 + c);
        for (double scale : new double[] {0.001, 1, 700}) {
            for (DoubleUnaryOperator curve : curves.subList(0, 3)) {
                DoubleUnaryOperator scaled = c -> curve.applyAsDouble(c / scale);
                KlSearch search = new KlSearch(scale, TARGETS);
                int measured = run(search, scaled);
                assertTrue(measured < 100, "measured " + measured);
                assertEquals(List.of(), search.missed());
                for (double t : TARGETS) {
                    assertEquals(t, scaled.applyAsDouble(found(search, t)), 0.02 * t);
                }
            }
            KlSearch jump =
                    new KlSearch(scale, TARGETS); // no coefficient gives these: the search must end all the same
            run(jump, c -> curves.get(3).applyAsDouble(c / scale));
            assertEquals(0.7, found(jump, 1) / scale, 1e-2);
        }
    }

    @Test
    void theFirstOfSeveralPlacesCounts() {
        KlSearch search = new KlSearch(1, List.of(1.0));
        run(search, c -> c < 1.2 ? 2 * c * c : c < 2 ? 0.5 : c);
        assertEquals(Math.sqrt(0.5), found(search, 1), 0.01);
        double before = 0;
        for (var e : search.table().entrySet()) {
            assertTrue(e.getValue() > before, search.table().toString());
            before = e.getValue();
        }
    }

    @Test
    void whatIsOutOfReachIsSaid() {
        KlSearch search = new KlSearch(1, TARGETS);
        run(search, c -> 0.7 * c / (1 + c));
        assertEquals(List.of(1.0, 2.0), search.missed());
        assertEquals(0.5, 0.7 * found(search, 0.5) / (1 + found(search, 0.5)), 0.01);
    }
}
