package dev.tiller.loader;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Names and values from files, made fit for one-line error messages. */
public final class Messages {
    private static final int SHOWN = 80;

    /** Candidates looked at for close names: an error message need not search a hostile header in full. */
    private static final int COMPARED = 10_000;

    private Messages() {}

    /** In double quotes, control characters escaped, the middle of a long text left out. */
    public static String quote(String text) {
        String shown = text.length() <= SHOWN
                ? text
                : text.substring(0, SHOWN / 2) + "..." + text.substring(text.length() - SHOWN / 2);
        return '"' + oneLine(shown) + '"';
    }

    /** Control characters, line separators and halves of surrogate pairs as escapes. */
    public static String oneLine(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            boolean plain = !Character.isISOControl(c) && c != 0x2028 && c != 0x2029;
            if (plain && !(c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
                out.appendCodePoint(c);
            } else {
                out.append(String.format("\\u%04x", c));
            }
        });
        return out.toString();
    }

    /** What went wrong with a file that the message already names. */
    public static String reason(IOException e) {
        String text = switch (e) {
            case NoSuchFileException f -> "no such file";
            case AccessDeniedException f -> "permission denied";
            case NotDirectoryException f -> "not a directory";
            case FileAlreadyExistsException f -> "exists already";
            case DirectoryNotEmptyException f -> "a directory that is not empty";
            case FileSystemException f -> f.getReason() == null ? f.toString() : f.getReason();
            case CharacterCodingException f -> "not valid UTF-8";
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
        return oneLine(text);
    }

    /** Up to three of the candidates most like {@code name}, for "did you mean"; empty if there are none. */
    public static List<String> closest(String name, Collection<String> candidates) {
        record Scored(String name, int distance) {}
        return candidates.stream()
                .limit(COMPARED)
                .map(c -> new Scored(c, distance(clip(name), clip(c))))
                .sorted(Comparator.comparingInt(Scored::distance).thenComparing(Scored::name))
                .limit(3)
                .map(Scored::name)
                .toList();
    }

    /** "; close names: a, b, c", or an empty text if there are no candidates. */
    static String closeNames(String name, Collection<String> candidates) {
        List<String> close = closest(name, candidates);
        return close.isEmpty()
                ? "; it has none"
                : "; close names: "
                        + String.join(", ", close.stream().map(Messages::quote).toList());
    }

    private static String clip(String text) {
        return text.length() <= 200 ? text : text.substring(0, 200);
    }

    /** Levenshtein distance. */
    private static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replace = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replace, Math.min(previous[j], row[j - 1]) + 1);
            }
            int[] swap = previous;
            previous = row;
            row = swap;
        }
        return previous[b.length()];
    }
}
