package dev.tiller.loader.hub;

import java.io.IOException;
import java.time.Duration;

/** Something between us and the server went wrong that may go right the next time. */
final class Trouble extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Duration wait;

    Trouble(String message) {
        this(message, null);
    }

    /** @param wait what the server asks us to wait; null if it does not say */
    Trouble(String message, Duration wait) {
        super(message);
        this.wait = wait;
    }

    Duration asked() {
        return wait;
    }
}
