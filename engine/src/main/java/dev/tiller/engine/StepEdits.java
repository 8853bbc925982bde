package dev.tiller.engine;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns the plans of the sequences in a batch into the tables that the kernels read. Directions are uploaded when a new
 * plan joins; the row lists are rebuilt only when the rows' plans or spans change, and only numbers are replaced where a
 * schedule changes them, so steady decoding allocates nothing without schedules. What a new plan costs does not depend on
 * how many there are.
 */
final class StepEdits {
    /** An edit by what the table holds of it: plans with an equal one share it, only coefficients differ. */
    private record Key(CompiledPlan.Item item) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Key k
                    && k.item.kind() == item.kind()
                    && k.item.gate() == item.gate()
                    && k.item.low() == item.low()
                    && k.item.high() == item.high()
                    && Arrays.equals(k.item.direction(), item.direction())
                    && Arrays.equals(k.item.second(), item.second());
        }

        @Override
        public int hashCode() {
            int numbers = Float.hashCode(item.low()) + 7 * Float.hashCode(item.high()) + 49 * item.gate();
            return (item.kind().ordinal() * 31 + numbers) * 31 + Arrays.hashCode(item.direction());
        }
    }

    /** A direction by its numbers: edits with an equal one share it, whatever they do with it. */
    private record Direction(float[] numbers) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Direction o && Arrays.equals(o.numbers, numbers);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(numbers);
        }
    }

    /** The edits and directions of one point, over all plans of the set. */
    private static final class PointTable {
        final Map<Key, Integer> known = new HashMap<>();
        final Map<Direction, Integer> rowOf = new HashMap<>();
        final List<float[]> rows = new ArrayList<>();
        final Map<CompiledPlan, int[]> editOfItem = new IdentityHashMap<>();
        final int index;
        Buffer directions;
        /** Rows that the buffer holds. */
        int uploaded;

        EditTable.Kind[] kinds = new EditTable.Kind[0];
        int[] direction = new int[0];
        int[] second = new int[0];
        float[] low = new float[0];
        float[] high = new float[0];
        EditTable current = EditTable.NONE;

        PointTable(int index) {
            this.index = index;
        }

        /** The edit of an item; a new one is appended. */
        int edit(CompiledPlan.Item item) {
            int e = known.size();
            Integer before = known.putIfAbsent(new Key(item), e);
            if (before != null) {
                return before;
            }
            if (e == kinds.length) {
                int room = Math.max(4, e + e / 2);
                kinds = Arrays.copyOf(kinds, room);
                direction = Arrays.copyOf(direction, room);
                second = Arrays.copyOf(second, room);
                low = Arrays.copyOf(low, room);
                high = Arrays.copyOf(high, room);
            }
            kinds[e] = item.kind();
            direction[e] = row(item.direction());
            second[e] = item.gate() >= 0 ? item.gate() : row(item.second());
            low[e] = item.low();
            high[e] = item.high();
            return e;
        }

        private int row(float[] numbers) {
            if (numbers == null) {
                return 0;
            }
            Integer before = rowOf.putIfAbsent(new Direction(numbers), rows.size());
            if (before == null) {
                rows.add(numbers);
                return rows.size() - 1;
            }
            return before;
        }
    }

    private static final int PRUNE_ABOVE = 512;

    private final Backend backend;
    private final int width;
    private final PointTable[] points;
    private final Map<CompiledPlan, Integer> plans = new IdentityHashMap<>();
    private Treatment[] rowTreatment = new Treatment[0];
    private long[] rowMask = new long[0];
    private int[] rowPosition = new int[0];
    private int rowCount = -1;
    private Buffer gates;
    /** Most conditions on every token that a plan has. */
    private int gateCount;

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
        boolean varied = false;
        int rows = step.rows().count();
        changed |= rows != rowCount;
        changed |= growGates(rows);
        if (rowTreatment.length < rows) {
            rowTreatment = Arrays.copyOf(rowTreatment, rows);
            rowMask = Arrays.copyOf(rowMask, rows);
            rowPosition = Arrays.copyOf(rowPosition, rows);
        }
        for (int t = 0; t < rows; t++) {
            Treatment treatment = step.sequence(t).treatment();
            CompiledPlan plan = treatment.plan();
            int position = step.rows().position()[t];
            long mask = plan.isEmpty() ? 0 : treatment.mask(position);
            changed |= rowTreatment[t] == null || rowTreatment[t].plan() != plan || rowMask[t] != mask;
            varied |= (mask & plan.varying()) != 0 && (rowTreatment[t] != treatment || rowPosition[t] != position);
            rowTreatment[t] = treatment;
            rowMask[t] = mask;
            rowPosition[t] = position;
        }
        rowCount = rows;
        for (int i = 0; (changed || varied) && i < points.length; i++) {
            PointTable p = points[i];
            if (p != null && changed) {
                p.current = table(p, rows);
            } else if (p != null) {
                p.current = varied(p, rows);
            }
        }
    }

    private boolean addNewPlans(Step step) {
        boolean added = false;
        for (Sequence s : step.sequences()) {
            if (!s.plan().isEmpty() && !plans.containsKey(s.plan())) {
                int most = Math.max(PRUNE_ABOVE, 2 * step.sequences().size());
                if (!added && plans.size() >= most) {
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
                index[j] = points[i].edit(items.get(j));
            }
            points[i].editOfItem.put(plan, index);
        }
        gateCount = Math.max(gateCount, plan.gates());
    }

    private void upload() {
        for (PointTable p : points) {
            if (p != null && p.uploaded < p.rows.size()) {
                upload(p);
            }
        }
    }

    /** Brings new directions to the backend; room grows by half, so that all of them together cost what they are. */
    private void upload(PointTable p) {
        int n = p.rows.size();
        if (p.directions == null || n > p.directions.rows()) {
            int room = p.directions == null ? n : Math.max(n, p.directions.rows() + p.directions.rows() / 2);
            p.directions = backend.buffer(room, width);
            p.uploaded = 0;
        }
        float[] all = new float[(n - p.uploaded) * width];
        for (int i = p.uploaded; i < n; i++) {
            System.arraycopy(p.rows.get(i), 0, all, (i - p.uploaded) * width, width);
        }
        backend.write(all, 0, p.directions, p.uploaded, n - p.uploaded);
        p.uploaded = n;
    }

    /** Room for what probes find in that many rows. True if the gates are others than before. */
    private boolean growGates(int rows) {
        if (gateCount == 0 || gates != null && gates.rows() >= rows && gates.columns() >= gateCount) {
            return false;
        }
        gates = backend.buffer(gates == null ? rows : Math.max(rows, gates.rows()), gateCount);
        return true;
    }

    private EditTable table(PointTable p, int rows) {
        int[] start = new int[rows + 1];
        for (int t = 0; t < rows; t++) {
            start[t + 1] = start[t];
            int[] index = p.editOfItem.get(rowTreatment[t].plan());
            for (int j = 0; index != null && j < index.length; j++) {
                start[t + 1] += applies(p, t, j) ? 1 : 0;
            }
        }
        if (start[rows] == 0) {
            return EditTable.NONE;
        }
        int[] edit = new int[start[rows]];
        int at = 0;
        for (int t = 0; t < rows; t++) {
            int[] index = p.editOfItem.get(rowTreatment[t].plan());
            for (int j = 0; index != null && j < index.length; j++) {
                if (applies(p, t, j)) {
                    edit[at++] = index[j];
                }
            }
        }
        float[] coefficient = new float[start[rows]];
        coefficients(p, rows, coefficient);
        return new EditTable(
                p.kinds, p.directions, p.direction, p.second, p.low, p.high, start, edit, coefficient, gates);
    }

    /** The current table with the numbers of the current positions; another object only if one is another. */
    private EditTable varied(PointTable p, int rows) {
        EditTable t = p.current;
        return t.isEmpty() || !coefficients(p, rows, t.coefficient())
                ? t
                : new EditTable(
                        t.kinds(),
                        t.directions(),
                        t.direction(),
                        t.second(),
                        t.low(),
                        t.high(),
                        t.rowStart(),
                        t.edit(),
                        t.coefficient(),
                        t.gates());
    }

    /** Fills in the coefficients of all entries. True if one has changed. */
    private boolean coefficients(PointTable p, int rows, float[] coefficient) {
        boolean changed = false;
        int at = 0;
        for (int t = 0; t < rows; t++) {
            int[] index = p.editOfItem.get(rowTreatment[t].plan());
            for (int j = 0; index != null && j < index.length; j++) {
                if (applies(p, t, j)) {
                    CompiledPlan.Item item = item(p, t, j);
                    float c = item.coefficient() * rowTreatment[t].factor(item.span(), rowPosition[t]);
                    if (c == 0) { // faded below what float32 holds; a table has no entry that does nothing
                        c = Math.copySign(Float.MIN_VALUE, item.coefficient());
                    }
                    changed |= c != coefficient[at];
                    coefficient[at++] = c;
                }
            }
        }
        return changed;
    }

    private boolean applies(PointTable p, int row, int j) {
        return (rowMask[row] >>> item(p, row, j).span() & 1) != 0;
    }

    private CompiledPlan.Item item(PointTable p, int row, int j) {
        return rowTreatment[row].plan().items(p.index).get(j);
    }
}
