package dev.tiller.loader.hub;

import java.io.IOException;
import java.time.Duration;

/** Something between us and the server went wrong that may go right the next time. */
final class Trouble extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Duration wait;
    private final boolean slow;

    Trouble(String message) {
        this(message, null);
    }

    /** @param wait what the server asks us to wait; null if it does not say */
    Trouble(String message, Duration wait) {
        this(message, wait, false);
    }

    private Trouble(String message, Duration wait, boolean slow) {
        super(message);
        this.wait = wait;
        this.slow = slow;
    }

    /** Bytes come, but so few that waiting for all makes no sense. */
    static Trouble slow(String message) {
        return new Trouble(message, null, true);
    }

    boolean isSlow() {
        return slow;
    }

    Duration asked() {
        return wait;
    }
}
