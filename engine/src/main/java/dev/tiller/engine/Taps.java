package dev.tiller.engine;

import dev.tiller.kernels.SiteTaps;
import java.util.Arrays;

/**
 * What to read during a forward pass: one entry for each H[l], l = 0..L (H[0] is the embedding output, H[l] the output of
 * block l-1, before any final norm), one for each middle of a block, and one for the output of the final norm. Reads happen after the edits of the site.
 */
final class Taps {
    static final Taps NONE = new Taps(0);

    private final SiteTaps[] level;
    private final SiteTaps[] mid;
    private SiteTaps finalNorm = SiteTaps.NONE;

    Taps(int blocks) {
        level = new SiteTaps[blocks + 1];
        Arrays.fill(level, SiteTaps.NONE);
        mid = new SiteTaps[blocks + 1];
        Arrays.fill(mid, SiteTaps.NONE);
    }

    /** The same, to be added to, for a model of so many blocks. */
    Taps copy(int blocks) {
        Taps copy = new Taps(blocks);
        System.arraycopy(level, 0, copy.level, 0, Math.min(level.length, blocks + 1));
        System.arraycopy(mid, 0, copy.mid, 0, Math.min(mid.length, blocks + 1));
        copy.finalNorm = finalNorm;
        return copy;
    }

    Taps at(int l, SiteTaps taps) {
        level[l] = taps;
        return this;
    }

    Taps atMid(int block, SiteTaps taps) {
        mid[block] = taps;
        return this;
    }

    Taps atFinalNorm(SiteTaps taps) {
        finalNorm = taps;
        return this;
    }

    SiteTaps level(int l) {
        return l < level.length ? level[l] : SiteTaps.NONE;
    }

    /** After the attention of that block. */
    SiteTaps mid(int block) {
        return block < mid.length ? mid[block] : SiteTaps.NONE;
    }

    SiteTaps finalNorm() {
        return finalNorm;
    }
}
