package dev.tiller.persona.cli;

import dev.tiller.persona.DirectionSelection;
import dev.tiller.persona.MethodComparison;
import dev.tiller.persona.Separation;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Tables of candidates and of methods. */
final class MethodReport {
    private MethodReport() {}

    /** Every candidate with its effects; the chosen one is marked. */
    static List<String> candidates(DirectionSelection s) {
        List<String> out = new ArrayList<>();
        out.add(String.format(
                Locale.ROOT,
                "unsteered: %.2f on positive, %.2f on negative prompts",
                s.baseline()[0],
                s.baseline()[1]));
        out.add("position  layer   |r|      bypass   induce   KL       ");
        for (DirectionSelection.Candidate c : s.candidates()) {
            String note = c.dropped() != null ? c.dropped() : c == s.chosen() ? "<-" : "";
            out.add(String.format(
                            Locale.ROOT,
                            "%8d  %5d   %-8.3g %-8s %-8s %-8s %s",
                            c.position(),
                            c.layer(),
                            c.norm(),
                            number(c.bypass(), 2),
                            number(c.induce(), 2),
                            number(c.kl(), 4),
                            note)
                    .stripTrailing());
        }
        return out;
    }

    /** One row per method. */
    static List<String> methods(List<MethodComparison.Row> rows) {
        double unsteered = rows.getFirst().trait();
        List<String> out = new ArrayList<>();
        out.add("method      block  AUC    d       held-out AUC  d       cosine   trait   rise    coherence");
        for (MethodComparison.Row r : rows) {
            out.add(String.format(
                            Locale.ROOT,
                            "%-11s %-6s %-6s %-7s %-13s %-7s %-8s %-7s %-7s %s",
                            r.name(),
                            r.block() < 0 ? "-" : Integer.toString(r.block()),
                            auc(r.separation()),
                            cohen(r.separation()),
                            auc(r.heldOut()),
                            cohen(r.heldOut()),
                            number(r.cosine(), 3),
                            number(r.trait(), 1),
                            number(r.trait() - unsteered, 1),
                            number(r.coherence(), 1))
                    .stripTrailing());
        }
        return out;
    }

    private static String auc(Separation s) {
        return s == null ? "-" : number(s.auc(), 3);
    }

    private static String cohen(Separation s) {
        return s == null ? "-" : number(s.cohenD(), 2);
    }

    private static String number(double x, int digits) {
        return Double.isNaN(x) ? "-" : String.format(Locale.ROOT, "%." + digits + "f", x);
    }
}
