package dev.tiller.bench.peers;

import dev.tiller.bench.Facts;
import dev.tiller.bench.Spread;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * How much of what the machine can do a row uses: bytes that must be read per token times tokens per second over the
 * reading of memory, and the same with operations over multiply-adds in registers (float32; shorter types have
 * instructions with a higher ceiling). Ceilings are those of the same round.
 *
 * @param bytesPerToken weights, read once per step, and keys and values
 * @param flopsPerToken products and attention
 * @param memory share of the reading of memory
 * @param arithmetic share of the multiply-adds
 */
record Roofline(double bytesPerToken, double flopsPerToken, Spread memory, Spread arithmetic) {
    /**
     * Of one row; null if its engine does not tell what it reads.
     *
     * @param model facts of our own entrant: the model's operations
     * @param reads bytes per second, for each round
     * @param flops operations per second, for each round
     */
    static Roofline of(PeerRow row, Map<String, Double> model, Shapes shapes, List<Double> reads, List<Double> flops) {
        Double weights = row.facts().get(Facts.STEP_BYTES);
        if (weights == null || model == null) {
            return null;
        }
        boolean prefill = row.name().equals("prefill");
        double rowsPerStep = prefill ? shapes.prompt() : row.batch();
        double positions = prefill ? shapes.prompt() / 2.0 : shapes.context() + shapes.decode() / 2.0;
        double keys = prefill ? 0 : positions * row.facts().getOrDefault(Facts.KV_BYTES, 0.0);
        double heads = prefill ? 1.0 / shapes.prompt() : 1;
        double operations = model.get(Facts.BLOCK_FLOPS)
                + heads * model.get(Facts.HEAD_FLOPS)
                + positions * model.get(Facts.ATTENTION_FLOPS);
        double bytes = weights / rowsPerStep + keys;
        return new Roofline(bytes, operations, share(row, bytes, reads), share(row, operations, flops));
    }

    private static Spread share(PeerRow row, double perToken, List<Double> ceilings) {
        List<Double> shares = new ArrayList<>();
        for (int r = 0; r < row.rates().size(); r++) {
            shares.add(row.rates().get(r) * perToken / ceilings.get(r));
        }
        return Spread.of(shares);
    }

    /** The ceiling that is nearer. */
    String binding() {
        return memory.median() >= arithmetic.median() ? "memory" : "multiply-add";
    }

    Spread nearer() {
        return memory.median() >= arithmetic.median() ? memory : arithmetic;
    }
}
