package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** Names from other people that become parts of paths and addresses: nothing that leads elsewhere passes. */
final class RepoNames {
    /** What file systems take in one part of a path. */
    private static final int MAX_BYTES = 255;

    private RepoNames() {}

    /** A file or revision: parts between single slashes, none of them "." or "..", nothing unprintable. */
    static boolean isPlain(String name) {
        if (name.isEmpty() || name.chars().anyMatch(c -> Character.isISOControl(c) || c == '\\' || c == ':')) {
            return false;
        }
        if (name.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
            return false;
        }
        for (String part : name.split("/", -1)) {
            boolean tooLong = part.getBytes(StandardCharsets.UTF_8).length > MAX_BYTES;
            if (part.isBlank() || part.equals(".") || part.equals("..") || tooLong) {
                return false;
            }
        }
        return true;
    }

    /** An error if one of the files of a listing could lead out of its folder, or comes twice. */
    static void check(Collection<String> files, String source) {
        Map<String, String> seen = new HashMap<>();
        for (String file : files) {
            if (!isPlain(file)) {
                throw new TillerException(source + ": expected names of files inside the repository, found "
                        + Messages.quote(file) + "; nothing was downloaded");
            }
            if (seen.put(file, file) != null) {
                throw new TillerException(source + ": file " + Messages.quote(file) + " is listed twice");
            }
        }
    }

    /** An error if two files would be one on a file system that does not tell upper from lower case. */
    static void checkCase(Collection<String> files, String source) {
        Map<String, String> seen = new HashMap<>();
        for (String file : files) {
            String other = seen.put(file.toLowerCase(Locale.ROOT), file);
            if (other != null && !other.equals(file)) {
                throw new TillerException(source + ": files " + Messages.quote(other) + " and " + Messages.quote(file)
                        + " differ by case alone; nothing was downloaded");
            }
        }
    }

    /** Percent-encoded for a path of an address; slashes stay only where asked for. */
    static String encode(String text, boolean keepSlashes) {
        StringBuilder out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
            if (plain || "-._~".indexOf(c) >= 0 || c == '/' && keepSlashes) {
                out.append(c);
            } else {
                out.append(String.format("%%%02X", (int) c));
            }
        }
        return out.toString();
    }
}
