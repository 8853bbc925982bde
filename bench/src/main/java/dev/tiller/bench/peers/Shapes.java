package dev.tiller.bench.peers;

/**
 * What every entrant is asked for.
 *
 * @param prompt tokens of the prefill row
 * @param context tokens before the first decoded one
 * @param decode tokens decoded per sequence
 * @param batch sequences of the batch row
 * @param threads of every engine
 */
record Shapes(int prompt, int context, int decode, int batch, int threads) {}
