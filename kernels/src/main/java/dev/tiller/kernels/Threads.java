package dev.tiller.kernels;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;

/**
 * How many threads compute, and why so many. Two threads of one core share its vector units, so by default there is one
 * for each physical core that this process may use.
 *
 * @param count at least 1
 * @param reason in a few words
 */
public record Threads(int count, String reason) {
    /** More would only take memory and time from each other. */
    private static final int MOST = 1024;

    /** @param asked 1 to 1024, or 0 for as many as are best; others are refused */
    public static Threads of(int asked) {
        if (asked < 0 || asked > MOST) {
            throw new TillerException(
                    "threads: expected 1 to " + MOST + " (0 for one per physical core), found " + asked);
        }
        return asked > 0 ? new Threads(asked, "asked for") : best();
    }

    /** One for each physical core. */
    public static Threads best() {
        return choose(Path.of("/"), Runtime.getRuntime().availableProcessors());
    }

    /**
     * @param root where /proc and /sys are
     * @param processors how many this process may use at a time: a container may allow the time of fewer than it shows
     */
    static Threads choose(Path root, int processors) {
        int cores;
        try {
            cores = cores(root);
        } catch (IOException | UncheckedIOException | IllegalArgumentException e) {
            cores = 0; // not Linux, or one that does not tell
        }
        if (cores == 0) {
            return new Threads(processors, "one per processor, physical cores unknown");
        }
        return processors < cores
                ? new Threads(processors, "as much as this process may use of " + cores + " physical cores")
                : new Threads(cores, "one per physical core");
    }

    /** Physical cores among the processors that this process may run on. */
    private static int cores(Path root) throws IOException {
        String allowed = null;
        for (String line : Files.readAllLines(root.resolve("proc/self/status"))) {
            if (line.startsWith("Cpus_allowed_list:")) {
                allowed = line.substring(line.indexOf(':') + 1).strip();
            }
        }
        if (allowed == null) {
            return 0;
        }
        Set<BitSet> cores = new HashSet<>();
        for (int cpu : list(allowed).stream().toArray()) {
            Path siblings = root.resolve("sys/devices/system/cpu/cpu" + cpu + "/topology/thread_siblings_list");
            if (Files.exists(siblings)) { // a processor that could be there, but is not, has none
                cores.add(list(Files.readString(siblings).strip()));
            }
        }
        return cores.size();
    }

    /** The numbers of a list such as "0-3,8,10-11". */
    private static BitSet list(String text) {
        BitSet numbers = new BitSet();
        for (String part : text.split(",")) {
            int dash = part.indexOf('-');
            int first = Integer.parseInt(dash < 0 ? part : part.substring(0, dash));
            int last = dash < 0 ? first : Integer.parseInt(part.substring(dash + 1));
            if (first < 0 || last < first) {
                throw new IllegalArgumentException(text);
            }
            numbers.set(first, last + 1);
        }
        return numbers;
    }

    @Override
    public String toString() {
        return count + (count == 1 ? " thread (" : " threads (") + reason + ")";
    }
}
