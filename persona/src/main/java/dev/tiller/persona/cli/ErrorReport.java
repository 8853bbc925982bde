package dev.tiller.persona.cli;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

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
        return text == null ? t.toString() : text.strip().replaceAll("\\s*\\R\\s*", " ");
    }

    /** What went wrong with a file that the message already names. */
    static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException f -> "no such file";
            case AccessDeniedException f -> "permission denied";
            case NotDirectoryException f -> "not a directory";
            case FileAlreadyExistsException f -> "exists already";
            case FileSystemException f -> f.getReason() == null ? f.toString() : f.getReason();
            case CharacterCodingException f -> "not valid UTF-8";
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
    }

    private static String io(IOException e) {
        String file = e instanceof FileSystemException f ? f.getFile() : null;
        return file == null ? reason(e) : file + ": " + reason(e);
    }
}
