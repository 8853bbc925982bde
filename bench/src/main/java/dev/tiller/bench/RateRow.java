package dev.tiller.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One row over all rounds.
 *
 * @param name what was measured
 * @param weights their format
 * @param batch sequences side by side
 * @param rates tokens per second of each round
 */
record RateRow(String name, String weights, int batch, List<Double> rates) {
    /** Collects the samples of all rounds, which hold the same rows in the same order. */
    static List<RateRow> of(List<List<Sample>> rounds) {
        Map<Sample, RateRow> rows = new LinkedHashMap<>();
        for (List<Sample> round : rounds) {
            for (Sample s : round) {
                Sample key = new Sample(s.name(), s.weights(), s.batch(), 0);
                rows.computeIfAbsent(key, k -> new RateRow(s.name(), s.weights(), s.batch(), new ArrayList<>()))
                        .rates()
                        .add(s.tokensPerSecond());
            }
        }
        return List.copyOf(rows.values());
    }

    /** Median, smallest and largest rate. */
    Spread spread() {
        return Spread.of(rates);
    }
}
