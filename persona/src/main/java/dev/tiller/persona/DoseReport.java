package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import dev.tiller.engine.Amount;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** A dose response as a table, as JSON and as one HTML file that needs nothing else. */
public final class DoseReport {
    private final DoseResponse.Result result;
    private final List<DoseAdvice> advice;

    public DoseReport(DoseResponse.Result result) {
        this.result = result;
        this.advice = DoseAdvice.of(result);
    }

    /** What coefficients count, as on the command line. */
    public static String unit(Amount.Unit unit) {
        return unit == Amount.Unit.VECTOR ? "raw" : unit.key();
    }

    // ---- table ----

    /** Lines for people. */
    public List<String> lines() {
        List<String> out = new ArrayList<>();
        DoseOptions o = result.options();
        out.add("\"" + o.vector().name() + "\" at block " + o.block() + ", "
                + o.vector().site().key() + ", coefficients in " + unitText(o.unit()) + "; "
                + o.prompts().size() + " prompts; judge: " + result.judge());
        result.unjudged().filter(u -> !u.equals("no judge")).ifPresent(u -> out.add("not judged: " + u));
        out.add(String.format(
                Locale.ROOT,
                "%-14s %9s %15s %9s %8s %8s %10s %7s %6s",
                "arm",
                "added",
                "trait",
                "coherence",
                "KL",
                "KL worst",
                "perplexity",
                "repeats",
                "ended"));
        for (DoseCell c : result.cells()) {
            if (c.arm().kind() != DoseArm.Kind.RANDOM) {
                out.add(line(name(c.arm()), c) + mark(c.arm()));
            }
        }
        for (double k : o.coefficients()) {
            out.add(line("random " + DoseAdvice.number(k), average(result.randomAt(k))));
        }
        for (DoseAdvice a : advice) {
            out.add(sentence(a));
        }
        return out;
    }

    private String mark(DoseArm arm) {
        if (arm.kind() != DoseArm.Kind.VECTOR) {
            return "";
        }
        for (DoseAdvice a : advice) {
            double c = arm.coefficient();
            if (c == a.redLine()) {
                return "  <- text breaks";
            }
            if (c == a.best()) {
                return "  <- best";
            }
            if (c * a.sign() >= a.from() * a.sign() && c * a.sign() <= a.to() * a.sign()) {
                return "  +";
            }
        }
        return "";
    }

    private static String line(String name, DoseCell c) {
        String trait = Double.isNaN(c.trait())
                ? "-"
                : number(c.trait(), 1) + (Double.isNaN(c.traitError()) ? "" : " +- " + number(c.traitError(), 1));
        return String.format(
                Locale.ROOT,
                "%-14s %9s %15s %9s %8s %8s %10s %7s %6s",
                name,
                number(c.applied(), 4),
                trait,
                number(c.coherence(), 1),
                number(c.kl(), 3),
                number(c.klWorst(), 2),
                number(c.perplexity(), 2),
                number(c.repetition(), 3),
                number(c.ended(), 2));
    }

    private static String name(DoseArm arm) {
        return switch (arm.kind()) {
            case UNSTEERED -> "unsteered";
            case PROMPT -> "prompt only";
            case VECTOR -> DoseAdvice.number(arm.coefficient());
            case RANDOM -> "random " + arm.random() + " " + DoseAdvice.number(arm.coefficient());
        };
    }

    private static String number(double x, int digits) {
        return Double.isFinite(x) ? String.format(Locale.ROOT, "%." + digits + "f", x) : "-";
    }

    private static String sentence(DoseAdvice a) {
        String side = a.sign() > 0 ? "positive" : "negative";
        String range = Double.isNaN(a.from())
                ? "nothing recommended"
                : (Double.isNaN(a.best()) ? "sound " : "recommended ") + DoseAdvice.number(a.from()) + " to "
                        + DoseAdvice.number(a.to());
        String red = Double.isNaN(a.redLine())
                ? "the text does not break on this grid"
                : "the text breaks at " + DoseAdvice.number(a.redLine()) + " (" + a.broken() + ")";
        return side + ": " + range + " (" + a.why() + "); " + red;
    }

    private static String unitText(Amount.Unit unit) {
        return switch (unit) {
            case VECTOR -> "lengths of the stored vector";
            case NORM -> "mean residual norms";
            case SD -> "standard deviations of the natural projection";
            case KL -> "nats of divergence, as calibrated";
        };
    }

    private static DoseCell average(List<DoseCell> cells) {
        ToDoubleFunction<ToDoubleFunction<DoseCell>> mean =
                f -> DoseResponse.mean(cells.stream().mapToDouble(f).toArray());
        DoseCell first = cells.getFirst();
        return new DoseCell(
                first.arm(),
                first.applied(),
                mean.applyAsDouble(DoseCell::trait),
                Double.NaN,
                mean.applyAsDouble(DoseCell::coherence),
                mean.applyAsDouble(DoseCell::kl),
                mean.applyAsDouble(DoseCell::klWorst),
                mean.applyAsDouble(DoseCell::perplexity),
                mean.applyAsDouble(DoseCell::repetition),
                mean.applyAsDouble(DoseCell::ended),
                cells.stream().mapToInt(DoseCell::tokens).sum(),
                first.sample());
    }

    // ---- JSON ----

    /** Everything as one object; {@code null} stands for numbers that were not measured. */
    public JsonObject json() {
        DoseOptions o = result.options();
        JsonObject out = new JsonObject();
        out.addProperty("vector", o.vector().name());
        out.addProperty("sha256", o.vector().sha256());
        out.addProperty("trait", o.trait());
        out.addProperty("block", o.block());
        out.addProperty("site", o.vector().site().key());
        out.addProperty("unit", unit(o.unit()));
        out.addProperty("instruction", o.instruction());
        out.addProperty("prompts", o.prompts().size());
        out.addProperty("temperature", o.temperature());
        out.addProperty("max_tokens", o.maxTokens());
        out.addProperty("seed", o.seed());
        out.addProperty("max_kl", o.maxKl());
        out.addProperty("judge", result.judge());
        out.addProperty("not_judged", result.unjudged().orElse(null));
        JsonArray rows = new JsonArray();
        result.cells().forEach(c -> rows.add(json(c)));
        out.add("rows", rows);
        JsonArray sides = new JsonArray();
        advice.forEach(a -> sides.add(json(a)));
        out.add("advice", sides);
        return out;
    }

    private static JsonObject json(DoseCell c) {
        JsonObject o = new JsonObject();
        o.addProperty("arm", c.arm().kind().key());
        o.addProperty("coefficient", c.arm().coefficient());
        if (c.arm().random() > 0) {
            o.addProperty("random", c.arm().random());
        }
        add(o, "added", c.applied());
        add(o, "trait", c.trait());
        add(o, "trait_error", c.traitError());
        add(o, "coherence", c.coherence());
        add(o, "kl", c.kl());
        add(o, "kl_worst", c.klWorst());
        add(o, "perplexity", c.perplexity());
        add(o, "repetition", c.repetition());
        add(o, "ended", c.ended());
        o.addProperty("tokens", c.tokens());
        o.addProperty("sample", c.sample());
        return o;
    }

    private static JsonObject json(DoseAdvice a) {
        JsonObject o = new JsonObject();
        o.addProperty("sign", a.sign());
        add(o, "from", a.from());
        add(o, "to", a.to());
        add(o, "best", a.best());
        o.addProperty("why", a.why());
        add(o, "red_line", a.redLine());
        o.addProperty("broken", a.broken());
        return o;
    }

    private static void add(JsonObject o, String key, double x) {
        if (Double.isFinite(x)) {
            o.addProperty(key, x);
        } else {
            o.add(key, JsonNull.INSTANCE);
        }
    }

    // ---- HTML ----

    /** Writes the page, complete or not at all. */
    public void write(Path file) {
        AtomicFiles.write(file, html().getBytes(StandardCharsets.UTF_8));
    }

    /** One page with charts, table and samples. */
    public String html() {
        DoseOptions o = result.options();
        StringBuilder s = new StringBuilder();
        String title = "Dose response of \"" + o.vector().name() + "\"";
        s.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
                .append(escape(title))
                .append("</title>\n<style>body{font-family:sans-serif;margin:24px;max-width:1180px;color:#1b1f24}"
                        + "table{border-collapse:collapse}td,th{padding:3px 9px;text-align:right;border-bottom:1px solid"
                        + " #d0d7de}td:first-child,th:first-child{text-align:left}td.text{text-align:left;max-width:640px}"
                        + "</style></head>\n<body><h1>")
                .append(escape(title))
                .append("</h1>\n");
        List<String> lines = lines();
        paragraph(s, lines.getFirst());
        result.unjudged().ifPresent(u -> paragraph(s, "No trait scores and no coherence: " + u + "."));
        advice.forEach(a -> paragraph(s, sentence(a)));
        paragraph(
                s,
                "Green: recommended (or sound, without scores). Red line: the first coefficient at which the text"
                        + " breaks. Grey band: random vectors of the same norm, from the lowest to the highest.");
        chart(s, "Trait score", DoseCell::trait, DoseCell::traitError, false);
        chart(s, "Coherence", DoseCell::coherence, c -> Double.NaN, false);
        chart(s, "KL(arm || unsteered), nats", DoseCell::kl, c -> Double.NaN, true);
        chart(s, "Perplexity of the answers under the unsteered model", DoseCell::perplexity, c -> Double.NaN, true);
        chart(s, "Share of repeated runs of four tokens", DoseCell::repetition, c -> Double.NaN, false);
        table(s);
        s.append("</body></html>\n");
        return s.toString();
    }

    private void chart(
            StringBuilder s,
            String title,
            ToDoubleFunction<DoseCell> value,
            ToDoubleFunction<DoseCell> error,
            boolean log) {
        List<DoseChart.Point> vector = result.of(DoseArm.Kind.VECTOR).stream()
                .map(c -> new DoseChart.Point(
                        c.arm().coefficient(),
                        value.applyAsDouble(c),
                        value.applyAsDouble(c) - error.applyAsDouble(c),
                        value.applyAsDouble(c) + error.applyAsDouble(c)))
                .toList();
        List<DoseChart.Point> random = result.options().coefficients().stream()
                .map(k -> {
                    double[] all =
                            result.randomAt(k).stream().mapToDouble(value).toArray();
                    return new DoseChart.Point(
                            k,
                            DoseResponse.mean(all),
                            java.util.Arrays.stream(all).min().orElse(Double.NaN),
                            java.util.Arrays.stream(all).max().orElse(Double.NaN));
                })
                .toList();
        double prompt = value.applyAsDouble(result.of(DoseArm.Kind.PROMPT).getFirst());
        s.append(DoseChart.svg(
                title,
                "coefficient, " + unitText(result.options().unit()),
                vector,
                random,
                value.applyAsDouble(result.unsteered()),
                prompt,
                advice,
                log));
    }

    private void table(StringBuilder s) {
        s.append("<h2>Numbers</h2><table><tr><th>arm</th><th>added</th><th>trait</th><th>coherence</th><th>KL</th>"
                + "<th>KL, worst 5 % of early tokens</th><th>perplexity</th><th>repeats</th><th>ended</th></tr>\n");
        for (DoseCell c : result.cells()) {
            row(s, "td", name(c.arm()), c);
        }
        s.append("</table>\n<h2>Answers to \"")
                .append(escape(result.options().prompts().getFirst()))
                .append("\"</h2><table>\n");
        for (DoseCell c : result.cells()) {
            if (c.arm().random() <= 1) {
                s.append("<tr><td>")
                        .append(escape(name(c.arm())))
                        .append("</td><td class=\"text\">")
                        .append(escape(c.sample()))
                        .append("</td></tr>\n");
            }
        }
        s.append("</table>\n");
    }

    private static void row(StringBuilder s, String tag, String name, DoseCell c) {
        s.append("<tr>");
        List.of(
                        escape(name),
                        number(c.applied(), 4),
                        number(c.trait(), 1),
                        number(c.coherence(), 1),
                        number(c.kl(), 3),
                        number(c.klWorst(), 2),
                        number(c.perplexity(), 2),
                        number(c.repetition(), 3),
                        number(c.ended(), 2))
                .forEach(cell -> s.append('<')
                        .append(tag)
                        .append('>')
                        .append(cell)
                        .append("</")
                        .append(tag)
                        .append('>'));
        s.append("</tr>\n");
    }

    private static void paragraph(StringBuilder s, String text) {
        s.append("<p>").append(escape(text)).append("</p>\n");
    }

    /** Text inside HTML; control characters that it must not have are replaced. */
    static String escape(String text) {
        StringBuilder s = new StringBuilder();
        for (char c : text.toCharArray()) {
            switch (c) {
                case '&' -> s.append("&amp;");
                case '<' -> s.append("&lt;");
                case '>' -> s.append("&gt;");
                case '"' -> s.append("&quot;");
                default -> s.append(c < ' ' && c != '\n' && c != '\t' ? '\ufffd' : c);
            }
        }
        return s.toString();
    }
}
