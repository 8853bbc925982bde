package dev.tiller.loader;

/**
 * A mistake in what the user gave: a file, a key, an argument. The message is one line that names the file, tensor or
 * key, what was expected and what was found; the command line prints it without a stack trace.
 */
public class TillerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TillerException(String message) {
        super(message);
    }

    public TillerException(String message, Throwable cause) {
        super(message, cause);
    }
}
