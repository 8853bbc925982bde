package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Residual rows that are copied while steps run: those of RESID_POST of given blocks, after the edits. */
public final class Capture {
    private final Backend backend;
    private final int blocks;
    private final int width;
    private final SortedMap<Integer, Buffer> copies = new TreeMap<>();
    private Taps taps = Taps.NONE;
    private int rows;

    Capture(Model model, List<Integer> wanted) {
        this.backend = model.backend();
        this.blocks = model.spec().blocks();
        this.width = model.spec().width();
        for (int block : wanted) {
            if (block < 0 || block >= blocks) {
                throw new TillerException(
                        "capture: block " + block + " is out of range; the model has blocks 0.." + (blocks - 1));
            }
            copies.put(block, null);
        }
    }

    /** What a step of that many rows must copy; the same buffers as long as they suffice. */
    Taps taps(int wanted) {
        if (wanted > rows && !copies.isEmpty()) {
            rows = wanted;
            taps = new Taps(blocks);
            copies.replaceAll((block, old) -> backend.buffer(rows, width));
            copies.forEach((block, copy) -> taps.at(block + 1, new SiteTaps(copy, null, null, null, null, null)));
        }
        return taps;
    }

    /**
     * Brings the rows of a block, of the last step, here.
     *
     * @param stepRows T rows of that step
     * @param out [T, d] row-major, filled from its beginning
     */
    public void read(int block, int stepRows, float[] out) {
        Buffer copy = copies.get(block);
        if (copy == null) {
            throw new TillerException("capture: block " + block + " was not captured, only " + copies.keySet());
        }
        backend.read(copy, 0, stepRows, out, 0);
    }
}
