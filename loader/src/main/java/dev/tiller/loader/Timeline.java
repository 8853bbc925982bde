package dev.tiller.loader;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * When the parts of a start were done, on standard error, if Java was started with {@code -Dtiller.timing=true}:
 * milliseconds since the process began. The program's script says when that was in {@code -Dtiller.began} (seconds since
 * 1970); without it the moment counts at which this class was loaded.
 */
public final class Timeline {
    private static final boolean ON = Boolean.getBoolean("tiller.timing");
    private static final long LOADED = System.nanoTime();
    private static final double BEFORE = ON ? millisecondsBefore() : 0;

    private Timeline() {}

    /** Notes that something is done now. */
    public static void mark(String what) {
        if (ON) {
            double ms = BEFORE + (System.nanoTime() - LOADED) / 1e6;
            System.err.println(String.format(Locale.ROOT, "tiller: %7.1f ms  ", ms) + what);
        }
    }

    /** Processor time of each thread of the process so far, where the system tells. */
    public static void threads() {
        if (!ON) {
            return;
        }
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            StringBuilder line = new StringBuilder("processor time, user + system in ms:");
            for (Path task : tasks.toList()) {
                String stat = Files.readString(task.resolve("stat"));
                String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
                int user = 10 * Integer.parseInt(fields[11]);
                int system = 10 * Integer.parseInt(fields[12]);
                if (user + system >= 20) {
                    String name = stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
                    line.append(" ")
                            .append(name)
                            .append(" ")
                            .append(user)
                            .append("+")
                            .append(system)
                            .append(";");
                }
            }
            mark(line.toString());
        } catch (IOException | RuntimeException e) {
            mark("processor time is not known here: " + e);
        }
    }

    private static double millisecondsBefore() {
        try {
            return Math.max(
                    0, System.currentTimeMillis() - 1000 * Double.parseDouble(System.getProperty("tiller.began", "")));
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
