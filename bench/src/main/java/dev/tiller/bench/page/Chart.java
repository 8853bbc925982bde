package dev.tiller.bench.page;

import java.util.List;
import java.util.Locale;

/** Horizontal bars with whiskers from the smallest to the largest value, as SVG that needs nothing else. */
final class Chart {
    private static final int WIDTH = 860;
    private static final int LEFT = 250;
    private static final int RIGHT = 130;
    private static final int BAR = 16;
    private static final int STEP = 24;
    private static final int TOP = 64;

    /**
     * One bar.
     *
     * @param label to its left
     * @param ours drawn in the colour of this program
     */
    record Bar(String label, double median, double min, double max, boolean ours) {}

    private Chart() {}

    /**
     * @param scale what the lengths are
     */
    static String svg(String title, String scale, List<Bar> bars) {
        double largest = bars.stream().mapToDouble(Bar::max).max().orElse(1);
        int height = TOP + bars.size() * STEP + 16;
        StringBuilder s = new StringBuilder();
        line(
                s,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""
                        + " font-family=\"sans-serif\" font-size=\"13\" role=\"img\">",
                WIDTH,
                height,
                WIDTH,
                height);
        line(s, "<title>%s</title>", escape(title));
        line(s, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>", WIDTH, height);
        line(s, "<text x=\"16\" y=\"26\" font-size=\"16\" fill=\"#1b1f24\">%s</text>", escape(title));
        line(s, "<text x=\"16\" y=\"46\" fill=\"#57606a\">%s</text>", escape(scale));
        for (int i = 0; i < bars.size(); i++) {
            bar(s, bars.get(i), TOP + i * STEP, (WIDTH - LEFT - RIGHT) / largest);
        }
        s.append("</svg>\n");
        return s.toString();
    }

    private static void bar(StringBuilder s, Bar b, int y, double scale) {
        int middle = y + BAR / 2;
        double end = LEFT + b.median * scale;
        double from = LEFT + b.min * scale;
        double to = LEFT + b.max * scale;
        String weight = b.ours ? " font-weight=\"bold\"" : "";
        line(
                s,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#1b1f24\"%s>%s</text>",
                LEFT - 8,
                middle + 5,
                weight,
                escape(b.label));
        line(
                s,
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>",
                LEFT,
                y,
                end - LEFT,
                BAR,
                b.ours ? "#0b6e4f" : "#9aa5b1");
        line(
                s,
                "<path d=\"M%.1f %d H%.1f M%.1f %d v8 M%.1f %d v8\" stroke=\"#1b1f24\" fill=\"none\"/>",
                from,
                middle,
                to,
                from,
                middle - 4,
                to,
                middle - 4);
        line(s, "<text x=\"%.1f\" y=\"%d\" fill=\"#1b1f24\">%.1f</text>", to + 6, middle + 5, b.median);
    }

    private static void line(StringBuilder s, String format, Object... values) {
        s.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
