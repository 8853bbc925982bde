package dev.tiller.persona;

import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;

/**
 * An answer to one prompt in one arm.
 *
 * @param ids its tokens
 * @param ended true if the model ended it itself
 */
record DoseAnswer(int[] ids, String text, boolean ended) {
    static DoseAnswer of(Generation g) {
        return new DoseAnswer(g.ids(), g.text(), g.finish() == FinishReason.STOP);
    }
}
