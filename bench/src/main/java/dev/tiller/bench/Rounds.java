package dev.tiller.bench;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What a number of rounds gave, in which we and another engine took turns. */
record Rounds(List<RateRow> ours, List<RateRow> theirs) {
    /** Seconds that never pass. */
    static final double NO_END = Double.POSITIVE_INFINITY;

    /**
     * Warms up, then measures.
     *
     * @param round measures each of our rows once
     * @param peer the other engine, or null
     * @param warmUp seconds; two rounds are always run
     * @param most seconds from now after which no further round is begun; one is always measured
     * @param note told what goes on
     */
    static Rounds run(
            Supplier<List<Sample>> round, Peer peer, int rounds, double warmUp, double most, Consumer<String> note) {
        if (!(warmUp >= 0)) {
            throw new TillerException("--warm-up " + warmUp + ": expected seconds, 0 or more");
        }
        note.accept("warming up");
        long start = System.nanoTime();
        for (int r = 0; r < 2 || System.nanoTime() - start < warmUp * 1e9; r++) {
            if (r > 0 && System.nanoTime() - start >= most * 1e9) {
                break;
            }
            round.get();
        }
        List<List<Sample>> ours = new ArrayList<>();
        List<List<Sample>> theirs = new ArrayList<>();
        for (int r = 1; r <= rounds; r++) {
            if (r > 1 && System.nanoTime() - start >= most * 1e9) {
                note.accept("time is up after " + (r - 1) + " of " + rounds + " rounds");
                break;
            }
            note.accept("round " + r + " of " + rounds);
            ours.add(round.get());
            theirs.add(peer == null ? List.of() : peer.round());
        }
        return new Rounds(RateRow.of(ours), RateRow.of(theirs));
    }
}
