package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.function.Consumer;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;

/** Counts what went wrong with one request or file; waits longer each time, and in the end gives up. */
final class Patience {
    private static final Duration LONGEST_OWN_WAIT = Duration.ofSeconds(30);
    private static final Duration WORTH_A_NOTE = Duration.ofSeconds(4);

    private final HubLimits limits;
    private final String what;
    private final Consumer<String> notes;
    private int failures;

    /**
     * @param what the request or file, for messages
     * @param notes hears of longer waits
     */
    Patience(HubLimits limits, String what, Consumer<String> notes) {
        this.limits = limits;
        this.what = what;
        this.notes = notes;
    }

    /** Something was gained since the last failure. */
    void gained() {
        failures = 0;
    }

    /** Waits before the next try, or throws what to tell the user. */
    void failed(IOException e) throws InterruptedException {
        failures++;
        Duration asked = e instanceof Trouble trouble ? trouble.asked() : null;
        if (asked != null && asked.compareTo(limits.longestWait()) > 0) {
            throw new TillerException(what + ": " + reason(e) + "; it asks to wait " + asked.toSeconds()
                    + " s, expected at most " + limits.longestWait().toSeconds());
        }
        if (failures >= limits.attempts() || isHopeless(e)) {
            throw new TillerException(
                    what + ": " + reason(e) + (failures > 1 ? " (after " + failures + " tries)" : ""), e);
        }
        Duration own = Duration.ofSeconds(1L << Math.min(failures - 1, 10));
        Duration wait = own.compareTo(LONGEST_OWN_WAIT) < 0 ? own : LONGEST_OWN_WAIT;
        wait = asked != null && asked.compareTo(wait) > 0 ? asked : wait;
        if (wait.compareTo(WORTH_A_NOTE) >= 0) {
            notes.accept(what + ": " + reason(e) + "; trying again in " + wait.toSeconds() + " s");
        }
        limits.pause().sleep(wait);
    }

    /** What two sides cannot agree on does not change by asking again, unless one was just cut off. */
    private static boolean isHopeless(IOException e) {
        boolean cut = e.getCause() instanceof EOFException
                || String.valueOf(e.getMessage()).contains("terminated");
        return e instanceof SSLHandshakeException && !cut || e instanceof SSLPeerUnverifiedException;
    }

    /** One line that says what happened. */
    static String reason(IOException e) {
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof UnresolvedAddressException || t instanceof UnknownHostException) {
                return "its host is not known by any name server";
            }
        }
        if (e instanceof HttpConnectTimeoutException) {
            return "no connection within the time";
        }
        if (e instanceof HttpTimeoutException) {
            return "no answer within the time";
        }
        if (e instanceof ConnectException) {
            return "cannot connect" + (e.getMessage() == null ? "" : " (" + Messages.oneLine(e.getMessage()) + ")");
        }
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return Messages.oneLine(message.length() <= 300 ? message : message.substring(0, 300) + "...");
    }
}
