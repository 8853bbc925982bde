package dev.tiller.persona.cli;

import java.util.Locale;

/** Numbers of bytes for people. */
final class ByteCount {
    private static final String[] UNITS = {"kB", "MB", "GB", "TB"};

    private ByteCount() {}

    /** In powers of 1000, as disks and networks are sold: 512 B, 1.5 kB, 270.4 MB. */
    static String text(double bytes) {
        if (bytes < 1000) {
            return Math.round(bytes) + " B";
        }
        double value = bytes / 1000;
        int unit = 0;
        while (value >= 999.95 && unit < UNITS.length - 1) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
    }
}
