package dev.tiller.loader.hub;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/**
 * The ETag of a file on the hub is a checksum: the SHA-256 of large files, and of small ones the SHA-1 that git names
 * them by, of {@code "blob " + size + "\0" + bytes} ("Git internals", git objects).
 */
final class Checksum {
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern SHA1 = Pattern.compile("[0-9a-f]{40}");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,127}");

    private Checksum() {}

    /** An ETag header without quotes and weakness mark. */
    static String normalise(String header) {
        return header.strip().replaceFirst("^W/", "").replaceAll("^\"|\"$", "");
    }

    /** True if it can be the name of a blob. */
    static boolean isName(String etag) {
        return NAME.matcher(etag).matches() && !etag.endsWith(".incomplete") && !etag.endsWith(".lock");
    }

    /** True if a file can be compared with it; ETags of other servers are just names. */
    static boolean isChecksum(String etag) {
        return SHA256.matcher(etag).matches() || SHA1.matcher(etag).matches();
    }

    static String kind(String etag) {
        return SHA256.matcher(etag).matches() ? "sha256" : "git sha1";
    }

    /** The checksum of a file, of the kind that {@code etag} is. */
    static String of(Path file, String etag) throws IOException {
        try (InputStream in = Files.newInputStream(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
            return of(in, Files.size(file), etag);
        }
    }

    /** As {@link #of(Path, String)}, of {@code size} bytes. */
    static String of(InputStream in, long size, String etag) throws IOException {
        boolean large = SHA256.matcher(etag).matches();
        MessageDigest digest = digest(large ? "SHA-256" : "SHA-1");
        if (!large) {
            digest.update(("blob " + size + "\0").getBytes(StandardCharsets.US_ASCII));
        }
        byte[] bytes = new byte[1 << 18];
        for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) {
            digest.update(bytes, 0, n);
            if (Thread.currentThread().isInterrupted()) {
                throw new java.io.InterruptedIOException("stopped");
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest digest(String name) {
        try {
            return MessageDigest.getInstance(name);
        } catch (NoSuchAlgorithmException e) {
            throw new TillerException("this Java machine lacks " + name, e); // every Java platform has both
        }
    }
}
