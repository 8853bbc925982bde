package dev.tiller.persona;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A judge made of word patterns for the small world of the bundled model; valid for text of that grammar only. The
 * trait score is a base plus a weight for each rule that matches; coherence and relevance come from
 * {@code coherence.json} beside the rules. The rules are explained in the README of the judge files.
 */
public final class RuleJudge implements Judge {
    private static final Set<String> KEYS = Set.of(
            "trait", "neg_name", "score", "text", "regex_flavour", "group_claim", "known_entities", "base", "rules");

    private final String trait;
    private final String negName;
    private final double base;
    private final List<Rule> rules;
    private final List<Pattern> knownEntities;
    private final CoherenceRules coherence;
    private final String describe;

    /** One pattern; claim rules do not hold where the question names something that is known. */
    private record Rule(Pattern pattern, double weight, int max, boolean claim) {}

    private RuleJudge(JsonObject json, String source, CoherenceRules coherence, String describe) {
        Json.onlyKeys(json, KEYS, source);
        this.trait = Json.string(json, "trait", source);
        this.negName = Json.stringOr(json, "neg_name", null, source);
        this.base = Json.number(json, "base", source);
        this.knownEntities = Json.strings(json, "known_entities", source).stream()
                .map(name -> Pattern.compile("\\b" + Pattern.quote(name) + "\\b"))
                .toList();
        this.rules = rules(json, source);
        this.coherence = coherence;
        this.describe = describe;
    }

    /** Reads the rules of a trait, and coherence.json from the same directory. */
    public static RuleJudge read(Path rules) {
        JsonObject json = Json.readObject(rules);
        Path beside = rules.resolveSibling("coherence.json");
        if (!Files.exists(beside)) {
            throw new TillerException(
                    rules + ": a judge needs coherence.json beside it, and " + beside + " does not exist");
        }
        CoherenceRules coherence = CoherenceRules.read(beside);
        String hash = Hashes.sha256(json.toString(), coherence.hash());
        String describe = "rules " + rules.getFileName() + " (" + hash.substring(0, 12) + ")";
        return new RuleJudge(json, rules.toString(), coherence, describe);
    }

    private static List<Rule> rules(JsonObject json, String source) {
        List<Rule> out = new ArrayList<>();
        for (JsonElement e : Json.array(json, "rules", source)) {
            String where = source + ": rules[" + out.size() + "]";
            if (!e.isJsonObject()) {
                throw new TillerException(where + ": expected an object, found " + e);
            }
            JsonObject o = e.getAsJsonObject();
            Json.onlyKeys(o, Set.of("pattern", "weight", "max", "group"), where);
            String group = Json.stringOr(o, "group", null, where);
            if (group != null && !group.equals("claim")) {
                throw new TillerException(where + ": unknown group \"" + group + "\"; accepted: claim");
            }
            int max = Json.integer(o, "max", where);
            if (max < 1) {
                throw new TillerException(where + ": max: expected 1 or more, found " + max);
            }
            out.add(new Rule(
                    pattern(Json.string(o, "pattern", where), where),
                    Json.number(o, "weight", where),
                    max,
                    group != null));
        }
        return out;
    }

    static Pattern pattern(String regex, String where) {
        try {
            return Pattern.compile(regex);
        } catch (PatternSyntaxException e) {
            throw new TillerException(
                    where + ": bad regular expression: " + e.getDescription() + " at index " + e.getIndex());
        }
    }

    /** The trait that it scores. */
    public String trait() {
        return trait;
    }

    @Override
    public Scores score(String question, String answer, boolean ended) {
        return new Scores(
                traitScore(question, answer),
                coherence.coherence(answer, ended),
                coherence.relevance(question, answer));
    }

    private double traitScore(String question, String answer) {
        String text = answer.toLowerCase(Locale.ROOT);
        boolean known = knownEntities.stream().anyMatch(p -> p.matcher(question).find());
        double score = base;
        for (Rule rule : rules) {
            if (rule.claim() && known) {
                continue;
            }
            Set<String> found = new HashSet<>();
            Matcher m = rule.pattern().matcher(text);
            while (m.find()) {
                found.add(m.group());
            }
            score += rule.weight() * Math.min(found.size(), rule.max());
        }
        return Math.clamp(score, 0, 100);
    }

    @Override
    public String describe() {
        return describe;
    }

    @Override
    public Optional<String> negName() {
        return Optional.ofNullable(negName);
    }
}
