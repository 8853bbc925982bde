package dev.tiller.bench.peers;

import dev.tiller.bench.Spread;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/**
 * A speed that was committed to: the quotient of a row of ours and one of another engine, round by round.
 *
 * @param name our row
 * @param to the other row; where several engines compete, the best of each round
 * @param ratio over the rounds
 * @param committed what it must reach
 * @param aimed what it should reach, 0 for no more than that
 */
record Claim(String name, String to, Spread ratio, double committed, double aimed) {
    /** All that the rows at hand allow to check. */
    static List<Claim> of(List<PeerRow> rows) {
        List<Claim> claims = new ArrayList<>();
        add(claims, rows, "decode", "bf16", llama("decode", "bf16"), 1.1, 0);
        add(claims, rows, "decode", "q8", llama("decode", "q8_0"), 1.1, 1.5);
        add(claims, rows, "decode", "q4", llama("decode", "q4_1"), 1.2, 0);
        add(claims, rows, "decode", "q4", llama("decode", "q4_0"), 0.9, 1.1);
        for (String format : List.of("bf16", "q8", "q4")) {
            add(claims, rows, "prefill", format, others("prefill", "f32"), 1.0, 1.3);
            add(claims, rows, "prefill", format, others("prefill", "bf16"), 0, 0.9);
        }
        add(claims, rows, "decode_batch", "bf16", llama("decode_batch", "bf16"), 1.2, 1.8);
        add(claims, rows, "decode_batch", "q8", llama("decode_batch", "q8_0"), 1.2, 1.8);
        add(claims, rows, "decode_batch", "q4", llama("decode_batch", "q4_1"), 1.2, 1.8);
        for (String format : List.of("bf16", "q8", "q4")) {
            add(claims, rows, "decode_steered", format, ours("decode", format), 0.995, 0);
        }
        return claims;
    }

    private static Predicate<PeerRow> llama(String name, String weights) {
        return r -> r.engine().equals(PeerRow.LLAMA_CPP)
                && r.name().equals(name)
                && r.weights().equals(weights);
    }

    private static Predicate<PeerRow> others(String name, String weights) {
        return r -> !r.engine().equals(PeerRow.TILLER)
                && r.name().equals(name)
                && r.weights().equals(weights);
    }

    private static Predicate<PeerRow> ours(String name, String weights) {
        return r -> r.engine().equals(PeerRow.TILLER)
                && r.name().equals(name)
                && r.weights().equals(weights);
    }

    private static void add(
            List<Claim> claims,
            List<PeerRow> rows,
            String name,
            String weights,
            Predicate<PeerRow> other,
            double committed,
            double aimed) {
        List<PeerRow> above = rows.stream().filter(ours(name, weights)).toList();
        List<PeerRow> below = rows.stream().filter(other).toList();
        if (above.isEmpty() || below.isEmpty()) {
            return;
        }
        List<Double> rates = above.getFirst().rates();
        double[] ratios = new double[rates.size()];
        Arrays.setAll(
                ratios,
                i -> rates.get(i)
                        / below.stream()
                                .mapToDouble(r -> r.rates().get(i))
                                .max()
                                .orElseThrow());
        PeerRow first = below.getFirst();
        String to = below.size() > 1
                ? "best of "
                        + String.join(", ", below.stream().map(PeerRow::label).toList())
                : first.label() + (first.name().equals(name) ? "" : " " + first.name());
        Spread ratio = Spread.of(Arrays.stream(ratios).boxed().toList());
        claims.add(new Claim(name + " " + weights, to, ratio, committed, aimed));
    }

    /** "met", "aim met" or "missed". */
    String verdict() {
        if (ratio.median() < committed) {
            return "missed";
        }
        return aimed > 0 && ratio.median() >= aimed ? "aim met" : committed > 0 ? "met" : "below the aim";
    }
}
