package dev.tiller.bench.peers;

import dev.tiller.bench.Spread;
import java.util.List;
import java.util.Map;

/**
 * One row of one engine over all rounds.
 *
 * @param engine which
 * @param version with its version
 * @param name prefill, decode, decode_steered or decode_batch
 * @param weights format of the weights in memory, e.g. bf16
 * @param batch sequences side by side
 * @param rates tokens per second of each round
 * @param facts of the engine
 */
public record PeerRow(
        String engine,
        String version,
        String name,
        String weights,
        int batch,
        List<Double> rates,
        Map<String, Double> facts) {
    public static final String TILLER = "tiller";
    static final String LLAMA_CPP = "llama.cpp";
    static final String TORCH = "torch";

    Spread spread() {
        return Spread.of(rates);
    }

    String label() {
        return engine + " " + weights;
    }
}
