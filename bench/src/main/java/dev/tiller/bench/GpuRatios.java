package dev.tiller.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What the rows of {@link GpuRates} are compared with. */
final class GpuRatios {
    private GpuRatios() {}

    /**
     * Each way of steering with unsteered decode of the same batch; each row with the peer's of that name and batch, and
     * prefill also with its matmuls alone; unsteered decode with the limit.
     *
     * @param limit steps per second that reading the weights allows; 0 if not known
     */
    static List<Ratio> of(Rounds rounds, double limit) {
        List<Ratio> ratios = new ArrayList<>();
        for (RateRow row : rounds.ours()) {
            String name = at(row, row.name());
            for (RateRow base : rounds.ours()) {
                boolean other = row.name().startsWith("decode") && !row.name().equals("decode");
                if (other && base.name().equals("decode") && base.batch() == row.batch()) {
                    ratios.add(Ratio.of(row, name, base, at(base, base.name())));
                }
            }
            if (row.name().equals("decode") && limit > 0) {
                String to = String.format(Locale.ROOT, "weights' limit, %.1f steps/s", limit);
                ratios.add(Ratio.of(row, name, limit * row.batch(), to));
            }
            String matmulsAlone = row.name().replace("prefill_", "matmuls_");
            for (RateRow peer : rounds.theirs()) {
                boolean same = peer.name().equals(row.name()) || peer.name().equals(matmulsAlone);
                if (same && peer.batch() == row.batch()) {
                    ratios.add(Ratio.of(row, name, peer, "peer " + peer.name() + " " + peer.weights()));
                }
            }
        }
        return ratios;
    }

    private static String at(RateRow row, String name) {
        return name.startsWith("decode") ? name + " x" + row.batch() : name;
    }
}
