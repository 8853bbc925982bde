package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.List;
import org.junit.jupiter.api.Test;

class SelectionTest {
    private static Rollout row(Pole pole, int question, Scores scores) {
        return new Rollout(question, 0, 0, pole, "q", "p", "a", new int[] {1, 2, 3}, 1, true, scores);
    }

    private static Rollout pos(Double trait, Double coherence) {
        return row(Pole.POS, 0, new Scores(trait, coherence, null));
    }

    private static Rollout neg(Double trait, Double coherence) {
        return row(Pole.NEG, 0, new Scores(trait, coherence, null));
    }

    private static boolean kept(double threshold, Rollout p, Rollout n) {
        // A pair that always passes stands beside, since a choice of none is an error.
        Selection s = Selection.of("t", List.of(pos(100.0, 100.0), p), List.of(neg(0.0, 100.0), n), threshold);
        return s.kept().contains(1);
    }

    @Test
    void edgesOfTheFilter() {
        assertTrue(kept(50, pos(50.0, 50.0), neg(49.999, 50.0)));
        assertFalse(kept(50, pos(49.999, 50.0), neg(0.0, 50.0)));
        assertFalse(kept(50, pos(50.0, 50.0), neg(50.0, 50.0)));
        assertFalse(kept(50, pos(50.0, 49.999), neg(0.0, 50.0)));
        assertFalse(kept(50, pos(50.0, 50.0), neg(0.0, 49.999)));
        assertTrue(kept(60, pos(60.0, 50.0), neg(39.999, 50.0)));
        assertFalse(kept(60, pos(60.0, 50.0), neg(40.0, 50.0)));
        assertFalse(kept(50, pos(null, 50.0), neg(0.0, 50.0)));
        assertFalse(kept(50, pos(50.0, null), neg(0.0, 50.0)));
        assertFalse(kept(50, pos(50.0, 50.0), neg(null, 50.0)));
        assertFalse(kept(50, pos(50.0, 50.0), neg(0.0, null)));
        assertTrue(kept(0, pos(0.0, 50.0), neg(99.0, 50.0)));
        assertTrue(kept(99, pos(99.0, 50.0), neg(0.999, 50.0)));
        assertFalse(kept(99, pos(99.0, 50.0), neg(1.0, 50.0)));
    }

    @Test
    void everyDroppedPairIsCountedOnce() {
        Rollout empty =
                new Rollout(0, 0, 0, Pole.NEG, "q", "p", "", new int[] {1}, 1, true, new Scores(0.0, 0.0, null));
        Selection s = Selection.of(
                "t",
                List.of(
                        pos(90.0, 90.0),
                        pos(10.0, 10.0),
                        pos(90.0, 90.0),
                        pos(90.0, 10.0),
                        pos(null, 9.0),
                        pos(90.0, 90.0)),
                List.of(neg(0.0, 90.0), neg(90.0, 10.0), neg(50.0, 90.0), neg(0.0, 90.0), neg(0.0, 90.0), empty),
                50);
        assertEquals(List.of(0), s.kept());
        assertEquals(
                List.of(1, 1, 1, 1, 1),
                List.of(s.weakPositive(), s.strongNegative(), s.incoherent(), s.missing(), s.empty()));
        assertTrue(s.describe().startsWith("1 of 6 pairs kept"), s.describe());
    }

    @Test
    void withoutAJudgeEveryPairWithTextCountsAndTheSummarySaysSo() {
        Rollout cut = new Rollout(0, 0, 0, Pole.NEG, "q", "p", "a", new int[] {1, 2}, 1, false, null);
        Rollout empty = new Rollout(0, 0, 0, Pole.NEG, "q", "p", "", new int[] {1}, 1, true, null);
        Rollout p = row(Pole.POS, 0, null);
        Selection s = Selection.of("t", List.of(p, p, p), List.of(row(Pole.NEG, 0, null), cut, empty), 50);
        assertEquals(List.of(0, 1), s.kept());
        assertFalse(s.judged());
        assertEquals(1, s.cutOff());
        assertTrue(s.describe().contains("no judge"), s.describe());
    }

    @Test
    void whatDoesNotPairIsRefused() {
        assertRefused(List.of(pos(90.0, 90.0)), List.of(), "1 positive and 0 negative");
        assertRefused(List.of(), List.of(), "no answers");
        assertRefused(List.of(neg(90.0, 90.0)), List.of(pos(0.0, 90.0)), "exchanged");
        assertRefused(List.of(pos(90.0, 90.0)), List.of(row(Pole.NEG, 3, new Scores(0.0, 90.0, null))), "question 3");
        assertRefused(List.of(pos(90.0, 90.0)), List.of(row(Pole.NEG, 0, null)), "judge all or none");
        assertRefused(List.of(pos(10.0, 90.0)), List.of(neg(0.0, 90.0)), "0 of 1 pairs kept, 1 dropped");
    }

    private static void assertRefused(List<Rollout> pos, List<Rollout> neg, String part) {
        TillerException e = assertThrows(TillerException.class, () -> Selection.of("mood", pos, neg, 50));
        assertTrue(e.getMessage().contains("mood") && e.getMessage().contains(part), e.getMessage());
    }

    @Test
    void separationOfKnownSamples() {
        Separation apart = Separation.of(new double[] {3, 4, 5}, new double[] {0, 1, 2});
        assertEquals(1, apart.auc());
        assertEquals(3, apart.cohenD(), 1e-12);
        Separation mixed = Separation.of(new double[] {1, 2}, new double[] {1, 0});
        assertEquals(0.875, mixed.auc());
        assertTrue(
                Double.isNaN(Separation.of(new double[] {1}, new double[] {0}).cohenD()));
    }
}
