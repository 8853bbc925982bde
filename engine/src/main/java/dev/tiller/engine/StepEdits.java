package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns the plans of the sequences in a batch into the tables that the kernels read. Directions are uploaded when a new
 * plan joins; the row lists are rebuilt only when the rows' plans or spans change, so steady decoding allocates nothing.
 */
final class StepEdits {
    /** The directions of one point, over all plans of the set. */
    private static final class PointTable {
        final List<CompiledPlan.Item> edits = new ArrayList<>();
        final Map<CompiledPlan, int[]> editOfItem = new IdentityHashMap<>();
        final int index;
        Buffer directions;
        EditTable.Kind[] kinds;
        float[] low;
        float[] high;
        EditTable current = EditTable.NONE;

        PointTable(int index) {
            this.index = index;
        }
    }

    private static final int PRUNE_ABOVE = 512;

    private final Backend backend;
    private final int width;
    private final PointTable[] points;
    private final Map<CompiledPlan, Integer> plans = new IdentityHashMap<>();
    private CompiledPlan[] rowPlan = new CompiledPlan[0];
    private long[] rowMask = new long[0];
    private int rowCount = -1;

    StepEdits(Backend backend, int blocks, int width) {
        this.backend = backend;
        this.width = width;
        this.points = new PointTable[blocks * Site.values().length];
    }

    /** The table of a point for the rows last prepared. */
    EditTable at(Site site, int block) {
        PointTable p = points[CompiledPlan.point(site, block)];
        return p == null ? EditTable.NONE : p.current;
    }

    /** Prepares the tables of a step. */
    void prepare(Step step) {
        boolean changed = addNewPlans(step);
        int rows = step.rows().count();
        changed |= rows != rowCount;
        if (rowPlan.length < rows) {
            rowPlan = Arrays.copyOf(rowPlan, rows);
            rowMask = Arrays.copyOf(rowMask, rows);
        }
        for (int t = 0; t < rows; t++) {
            Sequence s = step.sequence(t);
            CompiledPlan plan = s.plan();
            long mask = plan.isEmpty() ? 0 : plan.mask(step.rows().position()[t], s.promptLength());
            if (rowPlan[t] != plan || rowMask[t] != mask) {
                changed = true;
                rowPlan[t] = plan;
                rowMask[t] = mask;
            }
        }
        rowCount = rows;
        if (changed) {
            for (PointTable p : points) {
                if (p != null) {
                    p.current = table(p, rows);
                }
            }
        }
    }

    private boolean addNewPlans(Step step) {
        boolean added = false;
        for (Sequence s : step.sequences()) {
            if (!s.plan().isEmpty() && !plans.containsKey(s.plan())) {
                if (!added && plans.size() >= PRUNE_ABOVE) {
                    plans.clear();
                    Arrays.fill(points, null);
                    return addAll(step);
                }
                add(s.plan());
                added = true;
            }
        }
        if (added) {
            upload();
        }
        return added;
    }

    private boolean addAll(Step step) {
        for (Sequence s : step.sequences()) {
            if (!s.plan().isEmpty() && !plans.containsKey(s.plan())) {
                add(s.plan());
            }
        }
        upload();
        return true;
    }

    private void add(CompiledPlan plan) {
        plans.put(plan, plans.size());
        for (int i = 0; i < points.length; i++) {
            List<CompiledPlan.Item> items = plan.items(i);
            if (items.isEmpty()) {
                continue;
            }
            if (points[i] == null) {
                points[i] = new PointTable(i);
            }
            int[] index = new int[items.size()];
            for (int j = 0; j < index.length; j++) {
                index[j] = editIndex(points[i].edits, items.get(j));
            }
            points[i].editOfItem.put(plan, index);
            points[i].directions = null;
        }
    }

    /** Plans with an equal direction share its row in the table; only coefficients differ. */
    private static int editIndex(List<CompiledPlan.Item> edits, CompiledPlan.Item item) {
        for (int i = 0; i < edits.size(); i++) {
            CompiledPlan.Item e = edits.get(i);
            if (e.kind() == item.kind()
                    && e.low() == item.low()
                    && e.high() == item.high()
                    && Arrays.equals(e.direction(), item.direction())) {
                return i;
            }
        }
        edits.add(item);
        return edits.size() - 1;
    }

    private void upload() {
        for (PointTable p : points) {
            if (p == null || p.directions != null) {
                continue;
            }
            int n = p.edits.size();
            float[] all = new float[n * width];
            p.kinds = new EditTable.Kind[n];
            p.low = new float[n];
            p.high = new float[n];
            for (int e = 0; e < n; e++) {
                CompiledPlan.Item item = p.edits.get(e);
                System.arraycopy(item.direction(), 0, all, e * width, width);
                p.kinds[e] = item.kind();
                p.low[e] = item.low();
                p.high[e] = item.high();
            }
            p.directions = backend.buffer(n, width, all);
        }
    }

    private EditTable table(PointTable p, int rows) {
        int[] start = new int[rows + 1];
        for (int t = 0; t < rows; t++) {
            start[t + 1] = start[t];
            int[] index = p.editOfItem.get(rowPlan[t]);
            for (int j = 0; index != null && j < index.length; j++) {
                start[t + 1] += applies(p, t, j) ? 1 : 0;
            }
        }
        if (start[rows] == 0) {
            return EditTable.NONE;
        }
        int[] edit = new int[start[rows]];
        float[] coefficient = new float[start[rows]];
        int at = 0;
        for (int t = 0; t < rows; t++) {
            int[] index = p.editOfItem.get(rowPlan[t]);
            for (int j = 0; index != null && j < index.length; j++) {
                if (applies(p, t, j)) {
                    edit[at] = index[j];
                    coefficient[at++] = item(p, t, j).coefficient();
                }
            }
        }
        return new EditTable(p.kinds, p.directions, p.low, p.high, start, edit, coefficient);
    }

    private boolean applies(PointTable p, int row, int j) {
        return (rowMask[row] >>> item(p, row, j).span() & 1) != 0;
    }

    private CompiledPlan.Item item(PointTable p, int row, int j) {
        return rowPlan[row].items(p.index).get(j);
    }
}
