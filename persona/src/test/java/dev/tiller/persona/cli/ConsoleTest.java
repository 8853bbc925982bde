package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Terminals, pipes, colours, progress and error lines. */
class ConsoleTest {
    private static final ByteArrayInputStream NOTHING = new ByteArrayInputStream(new byte[0]);

    private static OutputStream failing(String reason) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(reason);
            }
        };
    }

    @Test
    void aReaderThatHasHadEnoughEndsTheRunQuietly() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(
                Console.of(NOTHING, failing("Broken pipe"), err),
                "inspect",
                CliRun.microworld().toString());
        assertEquals(0, code);
        assertEquals("", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void aFullDiskIsAnError() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(
                Console.of(NOTHING, failing("No space left on device"), err),
                "inspect",
                CliRun.microworld().toString());
        assertEquals(1, code);
        assertEquals(
                "tiller: standard output: No space left on device",
                err.toString(StandardCharsets.UTF_8).strip());
    }

    @Test
    void coloursFollowTheEnvironment() {
        assertEquals(TokenColours.TRUE, TokenColours.of(null, "truecolor", "xterm-256color"));
        assertEquals(TokenColours.INDEXED, TokenColours.of("", null, "xterm-256color"));
        assertEquals(TokenColours.NONE, TokenColours.of("1", "truecolor", "xterm-256color"));
        assertEquals(TokenColours.NONE, TokenColours.of(null, "truecolor", "dumb"));
        assertEquals(TokenColours.NONE, TokenColours.of(null, "truecolor", null));
        assertEquals(TokenColours.NONE, TokenColours.of(Console.of(NOTHING, failing(""), failing(""))));
    }

    @Test
    void tokensArePaintedBySignAndStrength() {
        assertEquals("word", TokenColours.TRUE.paint("word", 0));
        assertEquals("word", TokenColours.TRUE.paint("word", Double.NaN));
        assertEquals("\u001b[38;2;0;0;0;48;2;255;140;40mword\u001b[0m", TokenColours.TRUE.paint("word", 3));
        assertEquals("\u001b[38;2;0;0;0;48;2;70;150;255mword\u001b[0m", TokenColours.TRUE.paint("word", -1));
        assertEquals(
                "\u001b[38;5;16;48;5;208ma\u001b[0m\n\u001b[38;5;16;48;5;208mb\u001b[0m",
                TokenColours.INDEXED.paint("a\nb", 1));
        assertEquals("word", TokenColours.NONE.paint("word", 1));
    }

    @Test
    void answersCannotMoveTheCursor() {
        Console terminal = Console.terminal(NOTHING, new ByteArrayOutputStream(), new ByteArrayOutputStream());
        assertEquals("a\u241b[2Jb\n\t\u00e9\ufffd", terminal.visible("a\u001b[2Jb\n\t\u00e9\u009b"));
        Console pipe = Console.of(NOTHING, new ByteArrayOutputStream(), new ByteArrayOutputStream());
        assertEquals("\u001b", pipe.visible("\u001b"));
    }

    @Test
    void progressIsOneLinePerStageInAPipe() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        try (ProgressLine progress = new ProgressLine(Console.of(NOTHING, failing(""), err), false)) {
            for (int i = 0; i <= 50; i++) {
                progress.update("answers", i, 50);
            }
            progress.update("sweep", 3, 3);
        }
        String[] lines = err.toString(StandardCharsets.UTF_8).split("\n");
        assertEquals(2, lines.length);
        assertTrue(lines[0].startsWith("answers: 50 of 50"), lines[0]);
        assertTrue(lines[1].startsWith("sweep: 3 of 3"), lines[1]);
    }

    @Test
    void progressIsDrawnOverOnATerminal() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console terminal = Console.terminal(NOTHING, new ByteArrayOutputStream(), err);
        try (ProgressLine progress = new ProgressLine(terminal, false)) {
            progress.update("answers", 1, 50);
        }
        String text = err.toString(StandardCharsets.UTF_8);
        assertTrue(text.startsWith("\ranswers: 1 of 50"), text);
        assertTrue(text.endsWith("\n"), text);
    }

    @Test
    void everyErrorIsOneLine() {
        assertEquals(
                "f: no such file",
                ErrorReport.line(new java.io.UncheckedIOException(new java.nio.file.NoSuchFileException("f"))));
        assertTrue(ErrorReport.line(new OutOfMemoryError("Java heap space")).startsWith("out of memory"));
        String unexpected = ErrorReport.line(new IllegalStateException("a\n b"));
        assertTrue(unexpected.contains("--stacktrace") && unexpected.contains("a b"), unexpected);
        assertFalse(unexpected.contains("\n"));
    }

    @Test
    void stacktraceIsShownOnRequestOnly() {
        assertEquals(1, CliRun.of("inspect", "nowhere").err().lines().count());
        CliRun traced = CliRun.of("inspect", "--stacktrace", "nowhere");
        assertEquals(1, traced.code());
        CliRun failed = CliRun.of("generate", "--quiet", "--stacktrace", "--prompt", "");
        assertTrue(failed.err().contains("\tat dev.tiller."), failed.err());
    }

    @Test
    void theCardsSentenceIsFound() throws IOException {
        assertEquals(
                "So the good response to steering is a designed property of this model and no evidence about large language"
                        + " models.",
                ModelCard.steerability(CliRun.microworld()).orElseThrow());
    }
}
