package dev.tiller.persona.cli;

import dev.tiller.persona.Progress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Draws the progress of long work on standard error: what, how far, rate and time left. On a terminal one line that is
 * drawn over; otherwise a line when a stage ends and every ten seconds in between.
 */
final class ProgressLine implements Progress, AutoCloseable {
    private static final long REDRAW = 200_000_000L;
    private static final long REPEAT = 10_000_000_000L;

    /** Bytes come quicker and slower: what tells how long it will take is the rate of this time. */
    private static final long WINDOW = 15_000_000_000L;

    /** Narrower terminals are rare; a line that wraps cannot be drawn over. */
    private static final int COLUMNS = 79;

    private static final int BAR = 12;
    private static final int SHORTEST_NAME = 9;

    private record Sample(long time, long done) {}

    private final Console console;
    private final boolean silent;
    private final boolean bytes;
    private final LongSupplier clock;
    private final Deque<Sample> samples = new ArrayDeque<>();
    private String stage;
    private long started;
    private long shown;
    private long lastDone;
    private long firstDone;
    private boolean ended;
    private boolean open;

    ProgressLine(Console console, boolean silent) {
        this(console, silent, false, System::nanoTime);
    }

    /** @param clock nanoseconds from any beginning */
    ProgressLine(Console console, boolean silent, boolean bytes, LongSupplier clock) {
        this.console = console;
        this.silent = silent;
        this.bytes = bytes;
        this.clock = clock;
    }

    /** Units are bytes, some of which may have been there before: the rate is that of the others. */
    static ProgressLine ofBytes(Console console, boolean silent) {
        return new ProgressLine(console, silent, true, System::nanoTime);
    }

    @Override
    public void update(String what, long done, long total) {
        if (silent) {
            return;
        }
        long now = clock.getAsLong();
        boolean fresh = !what.equals(stage) || done < lastDone;
        if (fresh) {
            begin(what, done, now);
        }
        lastDone = done;
        boolean end = done >= total;
        if (end && ended) {
            return; // said before
        }
        ended = end;
        boolean due = now - shown >= (console.errIsTerminal() ? REDRAW : REPEAT);
        if (end || due || fresh && console.errIsTerminal()) {
            shown = now;
            draw(text(done, total, now), end);
        }
    }

    private void begin(String what, long done, long now) {
        close();
        stage = what;
        ended = false;
        started = now;
        shown = now;
        firstDone = bytes ? done : 0;
        samples.clear();
        samples.add(new Sample(now, firstDone));
    }

    private String text(long done, long total, long now) {
        StringBuilder s = new StringBuilder(bytes && console.errIsTerminal() ? bar(done, total) : ": ")
                .append(bytes ? ByteCount.text(done) : done)
                .append(" of ")
                .append(bytes ? ByteCount.text(total) : total);
        double seconds = (now - started) / 1e9;
        if (done > firstDone && seconds > 0) {
            double rate = done < total && bytes ? recent(done, now) : (done - firstDone) / seconds;
            s.append(bytes ? ", " + ByteCount.text(rate) + "/s" : String.format(Locale.ROOT, ", %.1f/s", rate));
            if (done >= total) {
                s.append(", took ").append(time(seconds));
            } else if (rate > 0 && (bytes ? seconds >= 1 : done >= total / 10)) {
                s.append(", ").append(time((total - done) / rate)).append(" left");
            }
        }
        return name(COLUMNS - s.length()) + s;
    }

    /** Units per second since the oldest sample that still counts. */
    private double recent(long done, long now) {
        samples.add(new Sample(now, done));
        while (samples.size() > 2 && now - samples.getFirst().time() > WINDOW) {
            samples.removeFirst();
        }
        Sample oldest = samples.getFirst();
        return (done - oldest.done()) / Math.max(1e-3, (now - oldest.time()) / 1e9);
    }

    private static String bar(long done, long total) {
        int full = total <= 0 ? BAR : (int) (BAR * Math.clamp((double) done / total, 0, 1));
        return " [" + "#".repeat(full) + "-".repeat(BAR - full) + "] ";
    }

    /** The stage; on a terminal without its middle if the line would be too long. */
    private String name(int room) {
        int length = Math.max(SHORTEST_NAME, room);
        if (!console.errIsTerminal() || stage.length() <= length) {
            return stage;
        }
        int half = (length - 3) / 2;
        return stage.substring(0, length - 3 - half) + "..." + stage.substring(stage.length() - half);
    }

    private static String time(double seconds) {
        if (seconds < 59.95) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long s = Math.round(seconds);
        return s < 6000 ? s / 60 + " min " + s % 60 + " s" : s / 3600 + " h " + s % 3600 / 60 + " min";
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
