package dev.tiller.persona.cli;

import java.io.IOException;

/** Standard output cannot be written: the reader of a pipe has gone, or there is no room. */
final class ClosedOutputException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ClosedOutputException(IOException cause) {
        super(cause.getMessage(), cause);
    }

    /** True if the reader has simply had enough, as in {@code tiller ... | head}. */
    boolean isBrokenPipe() {
        String message = String.valueOf(getMessage());
        return message.contains("Broken pipe") || message.contains("Stream closed") || message.contains("EPIPE");
    }
}
