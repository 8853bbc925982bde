package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.EditTable.Kind;
import java.util.function.ToLongFunction;

/**
 * Compiles the edit tables of a site call to what the kernel reads: {@code Edit[T][4]} of args.cuh, row t's list from
 * entry 4t on, by phase. A list that does not fit into its four entries goes on behind a jump, in a second slot.
 */
final class EditLists {
    /** Bytes of the struct Edit. */
    static final int EDIT = 32;

    /** Entries of a row that lie together. */
    static final int INLINE = 4;

    /** Bytes of the entries of a row. */
    static final int ROW = EDIT * INLINE;

    private static final int COEFFICIENT = 8;
    private static final int LOW = 12;
    private static final int HIGH = 16;
    private static final int CODE = 20;
    private static final int SECOND = 24;
    private static final int END = -1;
    private static final int JUMP = -2;

    private final EditTable[] phases;
    private final int rows;
    private final int width;
    private final ToLongFunction<Buffer> address;

    /**
     * @param phases tables of the phases OUT, WRITE, EDIT and AFTER
     * @param width d
     * @param address where a buffer of directions or gates lies on the device
     */
    EditLists(EditTable[] phases, int rows, int width, ToLongFunction<Buffer> address) {
        this.phases = phases;
        this.rows = rows;
        this.width = width;
        this.address = address;
    }

    private int entries(int row) {
        int n = 0;
        for (EditTable p : phases) {
            n += p.isEmpty() ? 0 : p.rowStart()[row + 1] - p.rowStart()[row];
        }
        return n;
    }

    /** Bytes of the entries behind jumps. */
    long overflow() {
        long bytes = 0;
        for (int t = 0; t < rows; t++) {
            int n = entries(t);
            bytes += n < INLINE ? 0 : (n - INLINE + 2) * EDIT; // those after the third, and the end
        }
        return bytes;
    }

    /**
     * Writes the lists.
     *
     * @param padded rows of the table; those past the real ones get empty lists
     * @param more at least {@link #overflow} bytes; may be null if that is 0
     */
    void write(Slot table, int padded, Slot more) {
        long next = 0;
        for (int t = 0; t < padded; t++) {
            next = row(table, t, t < rows ? entries(t) : 0, more, next);
        }
    }

    private long row(Slot table, int t, int n, Slot more, long next) {
        Slot to = table;
        long at = (long) t * ROW;
        int written = 0;
        for (int phase = 0; phase < phases.length && written < n; phase++) {
            EditTable p = phases[phase];
            for (int i = p.isEmpty() ? 0 : p.rowStart()[t]; !p.isEmpty() && i < p.rowStart()[t + 1]; i++) {
                if (written == INLINE - 1 && n >= INLINE) {
                    mark(to, at, more.address() + next, JUMP);
                    to = more;
                    at = next;
                    next += (long) (n - INLINE + 2) * EDIT;
                }
                entry(to, at, p, i, t, phase);
                at += EDIT;
                written++;
            }
        }
        mark(to, at, 0, END);
        return next;
    }

    /** Entry i of a table, which belongs to row t. */
    private void entry(Slot to, long at, EditTable p, int i, int t, int phase) {
        int e = p.edit()[i];
        Kind kind = p.kinds()[e];
        to.putLong(at, kind.hasDirection() ? direction(p, p.direction()[e]) : 0);
        to.putFloat(at + COEFFICIENT, p.coefficient()[i]);
        to.putFloat(at + LOW, p.low()[e]);
        to.putFloat(at + HIGH, p.high()[e]);
        to.putInt(at + CODE, kind.ordinal() | phase << 4);
        to.putLong(at + SECOND, second(p, kind, e, t));
    }

    private long second(EditTable p, Kind kind, int e, int t) {
        if (kind.hasGate()) {
            return address.applyAsLong(p.gates()) + 4L * ((long) t * p.gates().columns() + p.second()[e]);
        }
        return kind == Kind.ROTATE ? direction(p, p.second()[e]) : 0;
    }

    private long direction(EditTable p, int row) {
        return address.applyAsLong(p.directions()) + 4L * row * width;
    }

    private static void mark(Slot to, long at, long pointer, int code) {
        to.putLong(at, pointer);
        to.putFloat(at + COEFFICIENT, 0);
        to.putFloat(at + LOW, 0);
        to.putFloat(at + HIGH, 0);
        to.putInt(at + CODE, code);
        to.putLong(at + SECOND, 0);
    }
}
