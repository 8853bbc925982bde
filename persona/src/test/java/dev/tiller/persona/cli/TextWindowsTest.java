package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TextWindowsTest {
    /** A last window of one token is none: there is nothing in it to foretell. */
    @Test
    void windowsHaveTwoTokensAtLeast() {
        for (int window = 2; window <= 9; window++) {
            for (int tokens = 2; tokens <= 40; tokens++) {
                int windows = 0;
                for (int begin = 0; begin + 1 < tokens; begin += window) {
                    windows++;
                }
                assertEquals(windows - 1, TextWindows.last(tokens, window));
                assertEquals(windows, new TextWindows.Part("t", new int[tokens], window).windows());
            }
        }
    }
}
