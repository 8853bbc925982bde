package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.loader.TillerException;
import org.junit.jupiter.api.Test;

class ErrorReportTest {
    /** Errors name keys and tensors as files have them, and terminals obey what is in them. */
    @Test
    void isOneLineThatNoTerminalObeys() {
        assertEquals(
                "m.gguf: tensor a b\ufffd[2J\ufffd: expected no more",
                ErrorReport.line(new TillerException("m.gguf: tensor a\n  b\u001b[2J\u0000: expected no more\n")));
    }
}
