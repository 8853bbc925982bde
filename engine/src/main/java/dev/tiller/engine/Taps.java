package dev.tiller.engine;

import dev.tiller.kernels.SiteTaps;
import java.util.Arrays;

/**
 * What to read during a forward pass: one entry for each H[l], l = 0..L (H[0] is the embedding output, H[l] the output of
 * block l-1, before any final norm), and one for the output of the final norm. Reads happen after the edits of the site.
 */
final class Taps {
    static final Taps NONE = new Taps(0);

    private final SiteTaps[] level;
    private SiteTaps finalNorm = SiteTaps.NONE;

    Taps(int blocks) {
        level = new SiteTaps[blocks + 1];
        Arrays.fill(level, SiteTaps.NONE);
    }

    Taps at(int l, SiteTaps taps) {
        level[l] = taps;
        return this;
    }

    Taps atFinalNorm(SiteTaps taps) {
        finalNorm = taps;
        return this;
    }

    SiteTaps level(int l) {
        return l < level.length ? level[l] : SiteTaps.NONE;
    }

    SiteTaps finalNorm() {
        return finalNorm;
    }
}
