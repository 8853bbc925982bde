package dev.tiller.persona.cli;

import dev.tiller.engine.Vectors;
import dev.tiller.persona.PersonaVector;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** How a found vector looks, block by block. */
final class VectorReport {
    private VectorReport() {}

    /**
     * The block whose outputs tell the two poles apart best (Cohen's d), among the middle half: near the ends directions
     * separate well too, but adding them does little or breaks the text.
     */
    static int suggestedBlock(PersonaVector vector) {
        int blocks = vector.blocks();
        int best = blocks / 4;
        for (int b = blocks / 4; b < Math.max(blocks / 4 + 1, blocks * 3 / 4); b++) {
            if (vector.separation().get(b + 1).cohenD()
                    > vector.separation().get(best + 1).cohenD()) {
                best = b;
            }
        }
        return best;
    }

    /** Length of the vector at a block's output, as a share of the mean length of the residual there. */
    static double relativeNorm(PersonaVector vector, int block) {
        return Vectors.norm(vector.residPost(block)) / vector.meanResidualNorm()[block + 1];
    }

    /** How many pairs count and why, in one line. */
    static String kept(PersonaVector vector) {
        String all = vector.keptPairs().size() + " of " + vector.totalPairs() + " pairs of answers count";
        return vector.judged()
                ? all + " (by the judge's scores)"
                : all + " (no judge: every finished answer counts, whether it shows the trait or not)";
    }

    /**
     * One row per block.
     *
     * @param marked block to mark, or -1
     */
    static List<String> table(PersonaVector vector, int marked) {
        List<String> lines = new ArrayList<>();
        lines.add("block   |v|     |v|/|h|   AUC     Cohen's d");
        for (int b = 0; b < vector.blocks(); b++) {
            lines.add(String.format(
                            Locale.ROOT,
                            "%5d   %-7.3g %-9.3f %-7.3f %-9.2f%s",
                            b,
                            Vectors.norm(vector.residPost(b)),
                            relativeNorm(vector, b),
                            vector.separation().get(b + 1).auc(),
                            vector.separation().get(b + 1).cohenD(),
                            b == marked ? "  <-" : "")
                    .stripTrailing());
        }
        return lines;
    }
}
