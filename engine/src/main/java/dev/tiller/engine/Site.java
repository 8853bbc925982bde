package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Where in a block an edit acts. RESID_* are points of the residual stream itself; *_OUT is a module's own output;
 * *_WRITE is what is added to the residual (the same as *_OUT unless a norm or multiplier follows the module).
 */
public enum Site {
    RESID_PRE,
    RESID_MID,
    RESID_POST,
    ATTN_OUT,
    MLP_OUT,
    ATTN_WRITE,
    MLP_WRITE;

    /** Its place in the order in which a pass reaches the sites of a block. */
    int reached() {
        return switch (this) {
            case RESID_PRE -> 0;
            case ATTN_OUT -> 1;
            case ATTN_WRITE -> 2;
            case RESID_MID -> 3;
            case MLP_OUT -> 4;
            case MLP_WRITE -> 5;
            case RESID_POST -> 6;
        };
    }

    /** The name in plans and vector files, e.g. "resid_post". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The site of that name; an error that lists the accepted names otherwise. */
    public static Site of(String key, String where) {
        for (Site s : values()) {
            if (s.key().equals(key)) {
                return s;
            }
        }
        throw new TillerException(where + ": unknown site \"" + key + "\"; accepted: " + keys());
    }

    /** All names, for messages. */
    static String keys() {
        return Arrays.stream(values()).map(Site::key).collect(Collectors.joining(", "));
    }
}
