package dev.tiller.persona;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 of texts and tokens, for provenance in files. */
final class Hashes {
    private Hashes() {}

    /** Of the texts, each followed by a zero byte so that their borders count. */
    static String sha256(String... texts) {
        MessageDigest digest = digest();
        for (String t : texts) {
            digest.update(t.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
        }
        return hex(digest);
    }

    static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }
}
