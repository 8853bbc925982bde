package dev.tiller.loader.hub;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** An access token. No method but the one that makes the header gives it out, so that no message can show it. */
public final class HubToken {
    /** No real one is near this. */
    private static final int MAX = 4096;

    private final String secret;
    private final String origin;

    private HubToken(String secret, String origin) {
        this.secret = secret;
        this.origin = origin;
    }

    /**
     * A token of that text; empty if the text is blank. Only visible ASCII passes: anything else would be another
     * header, or an error of the HTTP client that repeats it.
     *
     * @param origin where it came from, for messages
     */
    static Optional<HubToken> of(String text, String origin) {
        String trimmed = text.strip();
        if (trimmed.isEmpty()) {
            return Optional.empty();
        }
        if (trimmed.length() > MAX || trimmed.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw new TillerException(
                    origin + ": expected an access token (letters and digits on one line), found something else");
        }
        return Optional.of(new HubToken(trimmed, origin));
    }

    /** The token in a file; empty if there is no such file. */
    static Optional<HubToken> read(Path file) {
        try {
            if (Files.size(file) > MAX) {
                throw new TillerException(file + ": expected an access token, found " + Files.size(file) + " bytes");
            }
            return of(Files.readString(file), file.toString());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            // The cause might quote what it could not read.
            throw new TillerException(file + ": the access token in it cannot be read");
        }
    }

    /** Where it came from. */
    String origin() {
        return origin;
    }

    /** Value of the Authorization header. */
    String header() {
        return "Bearer " + secret;
    }

    @Override
    public String toString() {
        return "token from " + origin;
    }
}
