package dev.tiller.loader.template;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** C's strftime in the C locale for a local time without zone, as {@code strftime_now} gives it. */
final class Strftime {
    private Strftime() {}

    static String format(Budget budget, LocalDateTime time, String format) {
        TextBuilder out = new TextBuilder(budget);
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 >= format.length()) {
                out.append(c);
                continue;
            }
            char code = format.charAt(++i);
            boolean flag = "-_0^".indexOf(code) >= 0 && i + 1 < format.length();
            char directive = flag ? format.charAt(++i) : code;
            String value = value(budget, time, directive);
            out.append(value == null ? "%" + (flag ? "" + code : "") + directive : flag ? flagged(code, value) : value);
        }
        return out.toString();
    }

    private static String flagged(char flag, String value) {
        if (flag == '^') {
            return Text.upper(value);
        }
        String bare = value.strip();
        int digit = 0;
        while (digit < bare.length() - 1 && bare.charAt(digit) == '0' && Character.isDigit(bare.charAt(digit + 1))) {
            digit++;
        }
        String number = bare.substring(digit);
        return switch (flag) {
            case '-' -> number;
            case '_' -> " ".repeat(Math.max(0, value.length() - number.length())) + number;
            default -> "0".repeat(Math.max(0, value.length() - number.length())) + number;
        };
    }

    private static String two(int value) {
        return value < 10 ? "0" + value : String.valueOf(value);
    }

    private static String blank(int value) {
        return value < 10 ? " " + value : String.valueOf(value);
    }

    private static String value(Budget budget, LocalDateTime t, char directive) {
        int hour = t.getHour() % 12 == 0 ? 12 : t.getHour() % 12;
        return switch (directive) {
            case 'Y' -> String.valueOf(t.getYear());
            case 'y' -> two(t.getYear() % 100);
            case 'C' -> two(t.getYear() / 100);
            case 'm' -> two(t.getMonthValue());
            case 'd' -> two(t.getDayOfMonth());
            case 'e' -> blank(t.getDayOfMonth());
            case 'H' -> two(t.getHour());
            case 'k' -> blank(t.getHour());
            case 'I' -> two(hour);
            case 'l' -> blank(hour);
            case 'M' -> two(t.getMinute());
            case 'S' -> two(t.getSecond());
            case 'f' -> String.valueOf(1_000_000 + t.getNano() / 1000).substring(1);
            case 'p' -> t.getHour() < 12 ? "AM" : "PM";
            case 'P' -> t.getHour() < 12 ? "am" : "pm";
            case 'A' -> t.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'a' ->
                t.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'B' -> t.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'b', 'h' ->
                t.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'j' -> String.valueOf(1000 + t.getDayOfYear()).substring(1);
            case 'u' -> String.valueOf(t.getDayOfWeek().getValue());
            case 'w' -> String.valueOf(t.getDayOfWeek().getValue() % 7);
            case 'U' -> two((t.getDayOfYear() + 6 - t.getDayOfWeek().getValue() % 7) / 7);
            case 'W' -> two((t.getDayOfYear() + 6 - (t.getDayOfWeek().getValue() + 6) % 7) / 7);
            case 'V' -> two(t.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
            case 'G' -> String.valueOf(t.get(IsoFields.WEEK_BASED_YEAR));
            case 'g' -> two(t.get(IsoFields.WEEK_BASED_YEAR) % 100);
            case 'D', 'x' -> format(budget, t, "%m/%d/%y");
            case 'F' -> format(budget, t, "%Y-%m-%d");
            case 'T', 'X' -> format(budget, t, "%H:%M:%S");
            case 'R' -> format(budget, t, "%H:%M");
            case 'r' -> format(budget, t, "%I:%M:%S %p");
            case 'c' -> format(budget, t, "%a %b %e %H:%M:%S %Y");
            case 's' ->
                String.valueOf(t.atZone(java.time.ZoneId.systemDefault()).getLong(ChronoField.INSTANT_SECONDS));
            case 'n' -> "\n";
            case 't' -> "\t";
            case '%' -> "%";
            case 'z', 'Z' -> "";
            default -> null;
        };
    }
}
