package dev.tiller.persona;

import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rollouts as a table in the published columns. */
final class RolloutCsv {
    /** A question's number, and the pole and number of its instruction if it had one. */
    private static final Pattern ID = Pattern.compile("_(\\d{1,9})(?:_(pos|neg)_(\\d{1,9}))?");

    private final String source;
    private final String trait;
    private final Model model;
    private final Map<String, Integer> columns = new HashMap<>();
    private final boolean judged;

    private RolloutCsv(Csv.Row header, String source, String trait, Model model) {
        this.source = source;
        this.trait = trait;
        this.model = model;
        for (String name : header.fields()) {
            if (columns.put(name, columns.size()) != null) {
                throw new TillerException(source + ": column \"" + name + "\" appears twice");
            }
        }
        this.judged = columns.containsKey(trait) || columns.containsKey("coherence");
        List<String> needed = new ArrayList<>(List.of("question", "prompt", "answer", "question_id"));
        if (judged) {
            needed.addAll(List.of(trait, "coherence"));
        }
        for (String name : needed) {
            if (!columns.containsKey(name)) {
                throw new TillerException(
                        source + ": column \"" + name + "\" is missing; the columns are " + header.fields());
            }
        }
    }

    static List<Rollout> read(Path csv, String trait, Model model) {
        return parse(AtomicFiles.readUtf8(csv), csv.toString(), trait, model);
    }

    static List<Rollout> parse(String text, String source, String trait, Model model) {
        List<Csv.Row> rows = Csv.parse(text, source);
        RolloutCsv table = new RolloutCsv(rows.getFirst(), source, trait, model);
        Map<String, Integer> samples = new HashMap<>();
        List<Rollout> out = new ArrayList<>();
        for (Csv.Row row : rows.subList(1, rows.size())) {
            // Rows of one prompt carry the same id; their order numbers the samples.
            int sample = samples.merge(table.field(row, "question_id"), 1, Integer::sum) - 1;
            out.add(table.rollout(row, sample));
        }
        return out;
    }

    private Rollout rollout(Csv.Row row, int sample) {
        String id = field(row, "question_id");
        Matcher m = ID.matcher(id.startsWith(trait) ? id.substring(trait.length()) : id);
        if (!m.matches()) {
            throw error(
                    row,
                    "question_id \"" + id + "\": expected " + trait + "_<question>_<pos or neg>_<instruction> or "
                            + trait + "_<question>");
        }
        String prompt = field(row, "prompt");
        if (prompt.isEmpty()) {
            throw error(row, "prompt is empty");
        }
        Scores scores = judged ? new Scores(score(row, trait), score(row, "coherence"), score(row, "relevance")) : null;
        Rollout rollout = Rollouts.tokenized(
                model,
                Integer.parseInt(m.group(1)),
                m.group(3) == null ? 0 : Integer.parseInt(m.group(3)),
                sample,
                m.group(2) == null ? null : m.group(2).equals("pos") ? Pole.POS : Pole.NEG,
                field(row, "question"),
                prompt,
                field(row, "answer"),
                ended(row),
                scores);
        if (rollout.promptLength() == 0) {
            throw error(row, "prompt has no tokens");
        }
        if (rollout.ids().length > model.spec().maxPositions()) {
            throw error(
                    row,
                    "prompt and answer have " + rollout.ids().length + " tokens, the model's context has "
                            + model.spec().maxPositions() + " positions");
        }
        return rollout;
    }

    private String field(Csv.Row row, String column) {
        return row.fields().get(columns.get(column));
    }

    private Double score(Csv.Row row, String column) {
        String text = columns.containsKey(column) ? field(row, column) : "";
        if (text.isEmpty() || text.equalsIgnoreCase("nan")) {
            return null;
        }
        double value;
        try {
            value = Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw error(row, column + ": expected a number or nothing, found \"" + text + "\"");
        }
        if (!(value >= 0 && value <= 100)) {
            throw error(row, column + ": expected 0 to 100, found " + text);
        }
        return value;
    }

    /** Published tables do not say; their rows count as ended. */
    private boolean ended(Csv.Row row) {
        String text = columns.containsKey("ended") ? field(row, "ended") : "true";
        if (!text.equals("true") && !text.equals("false")) {
            throw error(row, "ended: expected true or false, found \"" + text + "\"");
        }
        return text.equals("true");
    }

    private TillerException error(Csv.Row row, String what) {
        return new TillerException(source + ": line " + row.line() + ": " + what);
    }

    static void write(Path csv, String trait, List<Rollout> rollouts) {
        boolean judged = !rollouts.isEmpty() && rollouts.getFirst().scores() != null;
        StringBuilder out = new StringBuilder(header(trait, judged));
        for (Rollout r : rollouts) {
            if (judged != (r.scores() != null)) {
                throw new TillerException(csv + ": some of the rollouts are judged and some are not");
            }
            out.append(row(trait, r));
        }
        AtomicFiles.write(csv, out.toString().getBytes(StandardCharsets.UTF_8));
    }

    static String header(String trait, boolean judged) {
        List<String> names = new ArrayList<>(List.of("question", "prompt", "answer", "question_id"));
        if (judged) {
            names.addAll(List.of(trait, "coherence", "relevance"));
        }
        names.add("ended");
        return Csv.format(names);
    }

    static String row(String trait, Rollout r) {
        String id = trait + "_" + r.question()
                + (r.pole() == null ? "" : "_" + r.pole().key() + "_" + r.instruction());
        List<String> fields = new ArrayList<>(List.of(r.questionText(), r.prompt(), r.answer(), id));
        if (r.scores() != null) {
            fields.add(text(r.scores().trait()));
            fields.add(text(r.scores().coherence()));
            fields.add(text(r.scores().relevance()));
        }
        fields.add(Boolean.toString(r.ended()));
        return Csv.format(fields);
    }

    private static String text(Double score) {
        return score == null ? "" : score.toString();
    }
}
