package dev.tiller.persona.cli;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;

/** Turns whatever ended a command into one line for people. */
final class ErrorReport {
    private ErrorReport() {}

    /** The line, without the leading "tiller: ". */
    static String line(Throwable t) {
        String text = switch (t) {
            case TillerException e -> e.getMessage();
            case UncheckedIOException e -> io(e.getCause());
            case IOException e -> io(e);
            case ClosedOutputException e -> "standard output: " + e.getMessage();
            case OutOfMemoryError e ->
                "out of memory: the Java heap may take "
                        + (Runtime.getRuntime().maxMemory() >> 20)
                        + " MiB; use a smaller model or --weights bf16, or give it more: TILLER_JAVA_OPTS=-Xmx8g ("
                        + e.getMessage() + ")";
            default -> "internal error: " + t + " (--stacktrace shows where)";
        };
        return text == null
                ? t.toString()
                : text.strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "\ufffd"); // names from files
    }

    private static String io(IOException e) {
        String file = e instanceof FileSystemException f ? f.getFile() : null;
        return file == null ? Messages.reason(e) : file + ": " + Messages.reason(e);
    }
}
