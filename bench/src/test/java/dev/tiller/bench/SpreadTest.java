package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {
    @Test
    void medianIsTheMiddleOrTheMeanOfTheTwoMiddleValues() {
        assertEquals(new Spread(2, 1, 9, 3), Spread.of(List.of(9.0, 1.0, 2.0)));
        assertEquals(new Spread(3, 1, 9, 4), Spread.of(List.of(9.0, 4.0, 1.0, 2.0)));
        assertEquals(new Spread(5, 5, 5, 1), Spread.of(List.of(5.0)));
    }

    @Test
    void ratiosArePairedByRound() {
        // The machine was four times slower in the second round; the ratio is the same in both.
        assertEquals(new Spread(0.5, 0.5, 0.5, 2), Spread.ofRatios(List.of(8.0, 2.0), List.of(16.0, 4.0)));
        assertEquals(new Spread(2, 0.5, 8, 3), Spread.ofRatios(List.of(1.0, 4.0, 8.0), List.of(2.0, 2.0, 1.0)));
    }

    @Test
    void showsMedianAndRange() {
        assertEquals("2.0 [1.0..9.0]", new Spread(2, 1, 9, 3).show("%.1f"));
    }
}
