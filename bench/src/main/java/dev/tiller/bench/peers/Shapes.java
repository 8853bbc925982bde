package dev.tiller.bench.peers;

import java.util.List;

/**
 * What every entrant is asked for.
 *
 * @param prompt tokens of the prefill row
 * @param context tokens before the first decoded one
 * @param decode tokens decoded per sequence
 * @param batch sequences of the batch row
 * @param threads of every engine
 */
public record Shapes(int prompt, int context, int decode, int batch, int threads) {
    /** As peers read it. */
    public List<String> arguments() {
        return List.of(
                "--prompt", "" + prompt,
                "--context", "" + context,
                "--decode", "" + decode,
                "--batch", "" + batch,
                "--threads", "" + threads);
    }
}
