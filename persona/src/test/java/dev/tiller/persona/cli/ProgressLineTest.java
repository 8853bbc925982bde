package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a person sees of a download, by a clock that a test turns. */
class ProgressLineTest {
    private static final long MB = 1_000_000;
    private static final InputStream NOTHING = new ByteArrayInputStream(new byte[0]);

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private long now;

    private ProgressLine line(boolean terminal) {
        Console console = terminal ? Console.terminal(NOTHING, err, err) : Console.of(NOTHING, err, err);
        return new ProgressLine(console, false, true, () -> now);
    }

    /** What was drawn, each time anew. */
    private List<String> drawn() {
        return err.toString(StandardCharsets.UTF_8)
                .lines()
                .flatMap(l -> List.of(l.split("\r")).stream())
                .map(l -> l.replace("\u001b[K", ""))
                .filter(l -> !l.isEmpty())
                .toList();
    }

    /** So many seconds, ten looks in each, at a steady rate; gives the bytes that are there then. */
    private long run(ProgressLine progress, int seconds, long from, long perSecond, long total) {
        long done = from;
        for (int i = 0; i < 10 * seconds; i++) {
            now += 100_000_000L;
            done = Math.min(total, done + perSecond / 10);
            progress.update("org/tiny", done, total);
        }
        return done;
    }

    @Test
    void rateAndTimeLeftAreThoseOfTheLastSeconds() {
        try (ProgressLine progress = line(true)) {
            progress.update("org/tiny", 400 * MB, 1000 * MB); // from an earlier download: no part of the rate
            assertEquals("org/tiny [####--------] 400.0 MB of 1.0 GB", drawn().getLast());
            long done = run(progress, 20, 400 * MB, 10 * MB, 1000 * MB);
            assertEquals("org/tiny [#######-----] 600.0 MB of 1.0 GB, 10.0 MB/s, 40.0 s left", drawn().getLast());
            done = run(progress, 20, done, MB, 1000 * MB);
            assertEquals("org/tiny [#######-----] 620.0 MB of 1.0 GB, 1.0 MB/s, 6 min 20 s left", drawn().getLast());
            done = run(progress, 20, done, 0, 1000 * MB);
            assertEquals("org/tiny [#######-----] 620.0 MB of 1.0 GB, 0 B/s", drawn().getLast());
            run(progress, 38, done, 10 * MB, 1000 * MB);
            String last = drawn().getLast();
            assertEquals("org/tiny [############] 1.0 GB of 1.0 GB, 6.1 MB/s, took 1 min 38 s", last);
            int shown = err.size();
            progress.update("org/tiny", 1000 * MB, 1000 * MB);
            assertEquals(shown, err.size(), "said once");
        }
        assertTrue(err.toString(StandardCharsets.UTF_8).endsWith("took 1 min 38 s\u001b[K" + System.lineSeparator()));
    }

    @Test
    void noLineIsWiderThanATerminal() {
        String name = "an-organisation-with-a-long-name/" + "a-model-with-a-long-name".repeat(4);
        try (ProgressLine progress = line(true)) {
            for (long done = 0; done <= 123_456 * MB; done += 987 * MB) {
                now += 3_456_000_000L;
                progress.update(name, done, 123_456 * MB);
            }
        }
        assertTrue(drawn().size() > 100);
        for (String l : drawn()) {
            assertTrue(l.length() <= 79 && l.matches("an-.*\\.\\.\\..*name \\[.*"), l);
        }
    }

    @Test
    void aPipeGetsALineNowAndThen() {
        try (ProgressLine progress = line(false)) {
            progress.update("org/tiny", 0, 100 * MB);
            run(progress, 25, 0, 4 * MB, 100 * MB);
        }
        assertEquals(
                List.of(
                        "org/tiny: 40.0 MB of 100.0 MB, 4.0 MB/s, 15.0 s left",
                        "org/tiny: 80.0 MB of 100.0 MB, 4.0 MB/s, 5.0 s left",
                        "org/tiny: 100.0 MB of 100.0 MB, 4.0 MB/s, took 25.0 s"),
                drawn());
    }

    @Test
    void whatTurnsOutToBeWrongBeginsAgain() {
        try (ProgressLine progress = line(true)) {
            progress.update("org/tiny", 0, 100 * MB);
            run(progress, 10, 0, 9 * MB, 100 * MB);
            run(progress, 10, 10 * MB, 2 * MB, 100 * MB);
            assertEquals("org/tiny [###---------] 29.8 MB of 100.0 MB, 2.0 MB/s, 35.1 s left", drawn().getLast());
        }
    }
}
