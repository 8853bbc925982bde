package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
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
    private static final int END = -1;
    private static final int JUMP = -2;

    private final EditTable[] phases;
    private final int rows;
    private final int width;
    private final ToLongFunction<Buffer> address;

    /**
     * @param phases tables of the phases OUT, WRITE, EDIT and AFTER
     * @param width d
     * @param address where a buffer of directions lies on the device
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
                    entry(to, at, more.address() + next, 0, 0, 0, JUMP);
                    to = more;
                    at = next;
                    next += (long) (n - INLINE + 2) * EDIT;
                }
                int e = p.edit()[i];
                long direction = address.applyAsLong(p.directions()) + 4L * e * width;
                int code = p.kinds()[e].ordinal() | phase << 4;
                entry(to, at, direction, p.coefficient()[i], p.low()[e], p.high()[e], code);
                at += EDIT;
                written++;
            }
        }
        entry(to, at, 0, 0, 0, 0, END);
        return next;
    }

    private static void entry(Slot to, long at, long direction, float coefficient, float low, float high, int code) {
        to.putLong(at, direction);
        to.putFloat(at + COEFFICIENT, coefficient);
        to.putFloat(at + LOW, low);
        to.putFloat(at + HIGH, high);
        to.putInt(at + CODE, code);
    }
}
