package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Directions that are watched while steps run: the projections of every row come out of the residual sites themselves,
 * without a second pass.
 */
public final class Projections {
    /** The probes on one H[l]. */
    private static final class Level {
        final List<Integer> probes = new ArrayList<>();
        Buffer directions;
        Buffer projected;
        float[] read = new float[0];
    }

    private final Backend backend;
    private final int blocks;
    private final int probes;
    private final SortedMap<Integer, Level> levels = new TreeMap<>();
    private Taps taps = Taps.NONE;
    private int rows;

    Projections(Model model, List<Probe> probes) {
        this.backend = model.backend();
        this.blocks = model.spec().blocks();
        this.probes = probes.size();
        int width = model.spec().width();
        for (int i = 0; i < probes.size(); i++) {
            check(probes.get(i), width);
            levels.computeIfAbsent(probes.get(i).block() + 1, l -> new Level())
                    .probes
                    .add(i);
        }
        for (Level level : levels.values()) {
            int n = level.probes.size();
            float[] all = new float[n * width];
            for (int i = 0; i < n; i++) {
                float[] direction = probes.get(level.probes.get(i)).direction();
                System.arraycopy(Vectors.unit(direction, "probe"), 0, all, i * width, width);
            }
            level.directions = backend.buffer(n, width, all);
        }
    }

    private void check(Probe p, int width) {
        if (p.block() < 0 || p.block() >= blocks) {
            throw new TillerException(
                    "probe: block " + p.block() + " is out of range; the model has blocks 0.." + (blocks - 1));
        }
        if (p.direction().length != width) {
            throw new TillerException(
                    "probe: width " + p.direction().length + ", the model's residual stream has width " + width);
        }
    }

    /** What a step of that many rows must read; the same buffers as long as they suffice. */
    Taps taps(int wanted) {
        if (!levels.isEmpty() && wanted > rows) {
            rows = Math.max(wanted, backend.rowsPerStep());
            taps = new Taps(blocks);
            levels.forEach((l, level) -> {
                level.projected = backend.buffer(rows, level.probes.size());
                taps.at(l, new SiteTaps(null, level.directions, level.projected, null, null, null));
            });
        }
        return taps;
    }

    /** Brings the projections of a step of so many rows here, in one read for each level: a read waits for a GPU. */
    public void fetch(int stepRows) {
        for (Level level : levels.values()) {
            int n = stepRows * level.probes.size();
            if (level.read.length < n) {
                level.read = new float[n];
            }
            backend.read(level.projected, 0, stepRows, level.read, 0);
        }
    }

    /** The projections of a row of the step last fetched, in the order of the probes. */
    public float[] of(int row) {
        float[] values = new float[probes];
        for (Level level : levels.values()) {
            int n = level.probes.size();
            for (int i = 0; i < n; i++) {
                values[level.probes.get(i)] = level.read[row * n + i];
            }
        }
        return values;
    }
}
