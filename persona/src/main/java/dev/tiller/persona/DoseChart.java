package dev.tiller.persona;

import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/** One quantity over the coefficients as SVG that needs nothing else: the vector, the random vectors, the baselines. */
final class DoseChart {
    private static final int WIDTH = 560;
    private static final int HEIGHT = 300;
    private static final int LEFT = 62;
    private static final int RIGHT = 120;
    private static final int TOP = 40;
    private static final int BOTTOM = 44;

    /** A value at a coefficient, and how far it reaches to both sides; NaN values are left out. */
    record Point(double x, double y, double low, double high) {}

    private final StringBuilder s = new StringBuilder();
    private final boolean log;
    private final double left;
    private final double right;
    private final double bottom;
    private final double top;

    private DoseChart(double left, double right, double bottom, double top, boolean log) {
        this.log = log;
        this.left = left;
        this.right = right;
        this.bottom = bottom;
        this.top = top;
    }

    /**
     * Draws a chart.
     *
     * @param xTitle what the coefficients count
     * @param vector rising coefficients
     * @param random the mean of the random vectors with their smallest and largest value
     * @param unsteered value of the baseline; NaN for none
     * @param prompt value of the prompt-only baseline; NaN for none
     * @param advice recommended ranges and red lines
     * @param log logarithmic values
     */
    static String svg(
            String title,
            String xTitle,
            List<Point> vector,
            List<Point> random,
            double unsteered,
            double prompt,
            List<DoseAdvice> advice,
            boolean log) {
        double[] ys = DoubleStream.concat(
                        vector.stream().flatMapToDouble(p -> DoubleStream.of(p.y, p.low, p.high)),
                        DoubleStream.concat(
                                random.stream().flatMapToDouble(p -> DoubleStream.of(p.low, p.high)),
                                DoubleStream.of(unsteered, prompt)))
                .filter(y -> Double.isFinite(y) && (!log || y > 0))
                .toArray();
        if (ys.length == 0) {
            return "";
        }
        double low = DoubleStream.of(ys).min().orElseThrow();
        double high = DoubleStream.of(ys).max().orElseThrow();
        double left = Math.min(0, vector.getFirst().x);
        double right = Math.max(0, vector.getLast().x);
        DoseChart c = log
                ? new DoseChart(left, right, Math.log10(low) - 0.05, Math.log10(high) + 0.05, true)
                : new DoseChart(left, right, Math.min(0, low), high <= 0 ? 1 : high * 1.05, false);
        c.frame(title, xTitle, advice);
        c.band(random);
        c.level(unsteered, "unsteered", "#57606a", "6 4");
        c.level(prompt, "prompt only", "#8250df", "2 3");
        c.curve(random, "#9aa5b1", "random", false);
        c.curve(vector, "#0b6e4f", "vector", true);
        c.s.append("</svg>\n");
        return c.s.toString();
    }

    private double x(double x) {
        return LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT);
    }

    private double y(double y) {
        double v = log ? Math.log10(Math.max(y, 1e-12)) : y;
        double share = Math.clamp((v - bottom) / (top - bottom), 0, 1);
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
    }

    private void frame(String title, String xTitle, List<DoseAdvice> advice) {
        add(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""
                        + " font-family=\"sans-serif\" font-size=\"12\" role=\"img\">",
                WIDTH, HEIGHT, WIDTH, HEIGHT);
        add("<title>%s</title>", DoseReport.escape(title));
        add("<text x=\"%d\" y=\"22\" font-size=\"14\" fill=\"#1b1f24\">%s</text>", LEFT, DoseReport.escape(title));
        for (DoseAdvice a : advice) {
            zones(a);
        }
        add("<path d=\"M%d %d V%d H%d\" stroke=\"#1b1f24\" fill=\"none\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (int i = 0; i <= 4; i++) {
            double v = bottom + (top - bottom) * i / 4;
            double value = log ? Math.pow(10, v) : v;
            text(LEFT - 6, y(value) + 4, "end", "#57606a", axis(value));
            double c = left + (right - left) * i / 4;
            text(x(c), HEIGHT - BOTTOM + 16, "middle", "#57606a", axis(c));
        }
        text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8, "middle", "#57606a", DoseReport.escape(xTitle));
    }

    private void zones(DoseAdvice a) {
        if (!Double.isNaN(a.from())) {
            rect(a.from(), a.to(), "#dafbe1");
        }
        if (!Double.isNaN(a.redLine())) {
            rect(a.redLine(), a.sign() > 0 ? right : left, "#ffebe9");
            add(
                    "<path d=\"M%.1f %d V%d\" stroke=\"#cf222e\" stroke-width=\"2\"/>",
                    x(a.redLine()), TOP, HEIGHT - BOTTOM);
        }
    }

    private void rect(double from, double to, String colour) {
        double a = Math.min(x(from), x(to));
        double width = Math.max(4, Math.abs(x(to) - x(from)));
        add(
                "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>",
                a, TOP, width, HEIGHT - TOP - BOTTOM, colour);
    }

    private void band(List<Point> points) {
        List<Point> shown =
                points.stream().filter(p -> Double.isFinite(p.low + p.high)).toList();
        if (shown.size() < 2) {
            return;
        }
        StringBuilder path = new StringBuilder();
        shown.forEach(p -> path.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(p.x), y(p.high))));
        shown.reversed().forEach(p -> path.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(p.x), y(p.low))));
        add(
                "<polygon points=\"%s\" fill=\"#9aa5b1\" fill-opacity=\"0.25\"/>",
                path.toString().strip());
    }

    private void curve(List<Point> points, String colour, String name, boolean marks) {
        List<Point> shown = points.stream().filter(p -> Double.isFinite(p.y)).toList();
        if (shown.isEmpty()) {
            return;
        }
        StringBuilder path = new StringBuilder();
        shown.forEach(p -> path.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(p.x), y(p.y))));
        add(
                "<polyline points=\"%s\" stroke=\"%s\" stroke-width=\"%d\" fill=\"none\"/>",
                path.toString().strip(), colour, marks ? 2 : 1);
        for (Point p : marks ? shown : List.<Point>of()) {
            add("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>", x(p.x), y(p.y), colour);
            if (Double.isFinite(p.low + p.high)) {
                add("<path d=\"M%.1f %.1f V%.1f\" stroke=\"%s\"/>", x(p.x), y(p.low), y(p.high), colour);
            }
        }
        text(WIDTH - RIGHT + 6, y(shown.getLast().y) + 4, "start", colour, name);
    }

    private void level(double value, String name, String colour, String dashes) {
        if (!Double.isFinite(value) || log && value <= 0) {
            return;
        }
        add(
                "<path d=\"M%d %.1f H%d\" stroke=\"%s\" stroke-dasharray=\"%s\"/>",
                LEFT, y(value), WIDTH - RIGHT, colour, dashes);
        text(WIDTH - RIGHT + 6, y(value) - 4, "start", colour, name);
    }

    private void text(double x, double y, String anchor, String colour, String text) {
        add("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>", x, y, anchor, colour, text);
    }

    /** Three significant digits. */
    private static String axis(double v) {
        double shown =
                new java.math.BigDecimal(v).round(new java.math.MathContext(3)).doubleValue();
        return Math.abs(shown) < 1e-9 ? "0" : DoseAdvice.number(shown);
    }

    private void add(String format, Object... values) {
        s.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
