package dev.tiller.persona.cli;

import dev.tiller.persona.Progress;
import java.util.Locale;

/**
 * Draws the progress of long work on standard error: what, how far, rate and time left. On a terminal one line that is
 * drawn over; otherwise a line when a stage ends and every ten seconds in between.
 */
final class ProgressLine implements Progress, AutoCloseable {
    private static final long REDRAW = 200_000_000L;
    private static final long REPEAT = 10_000_000_000L;

    private final Console console;
    private final boolean silent;
    private final boolean bytes;
    private String stage;
    private long started;
    private long shown;
    private long lastDone;
    private long firstDone;
    private boolean open;

    ProgressLine(Console console, boolean silent) {
        this(console, silent, false);
    }

    private ProgressLine(Console console, boolean silent, boolean bytes) {
        this.console = console;
        this.silent = silent;
        this.bytes = bytes;
    }

    /** Units are bytes, some of which may have been there before: the rate is that of the others. */
    static ProgressLine ofBytes(Console console, boolean silent) {
        return new ProgressLine(console, silent, true);
    }

    @Override
    public void update(String what, long done, long total) {
        if (silent) {
            return;
        }
        long now = System.nanoTime();
        boolean fresh = !what.equals(stage) || done < lastDone;
        if (fresh) {
            close();
            stage = what;
            started = now;
            shown = now;
            firstDone = bytes ? done : 0;
        }
        lastDone = done;
        boolean end = done >= total;
        boolean due = now - shown >= (console.errIsTerminal() ? REDRAW : REPEAT);
        if (end || due || fresh && console.errIsTerminal()) {
            shown = now;
            draw(text(done, total, (now - started) / 1e9), end);
        }
    }

    private String text(long done, long total, double seconds) {
        StringBuilder s = new StringBuilder(stage)
                .append(": ")
                .append(bytes ? ByteCount.text(done) : done)
                .append(" of ")
                .append(bytes ? ByteCount.text(total) : total);
        if (done > firstDone && seconds > 0) {
            double rate = (done - firstDone) / seconds;
            s.append(bytes ? ", " + ByteCount.text(rate) + "/s" : String.format(Locale.ROOT, ", %.1f/s", rate));
            if (done >= total) {
                s.append(", took ").append(time(seconds));
            } else if (bytes ? seconds >= 1 : done >= total / 10) {
                s.append(", ").append(time((total - done) / rate)).append(" left");
            }
        }
        return s.toString();
    }

    private static String time(double seconds) {
        long s = Math.round(seconds);
        return s < 60 ? String.format(Locale.ROOT, "%.1f s", seconds) : s / 60 + " min " + s % 60 + " s";
    }

    private void draw(String text, boolean end) {
        if (console.errIsTerminal()) {
            console.err().print("\r" + text + "\u001b[K");
            open = !end;
            if (end) {
                console.err().println();
            }
            console.err().flush();
        } else {
            console.note(text);
        }
    }

    /** Ends an unfinished line, so that what follows begins on its own. */
    @Override
    public void close() {
        if (open) {
            open = false;
            console.note("");
        }
    }
}
