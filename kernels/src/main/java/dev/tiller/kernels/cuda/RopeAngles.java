package dev.tiller.kernels.cuda;

import dev.tiller.kernels.RopeTable;
import java.util.ArrayDeque;
import java.util.Iterator;

/** Tables of rotary angles on the device, brought there when first used; the tables used last are kept. */
final class RopeAngles {
    private static final int KEPT = 8;

    /** A table and its two halves on the device. */
    record Uploaded(RopeTable table, CudaBuffer cos, CudaBuffer sin) {}

    /** Makes a buffer with these numbers. */
    interface Upload {
        CudaBuffer row(float[] values);
    }

    private final Upload upload;
    private final ArrayDeque<Uploaded> tables = new ArrayDeque<>();

    RopeAngles(Upload upload) {
        this.upload = upload;
    }

    Uploaded of(RopeTable table) {
        for (Iterator<Uploaded> all = tables.iterator(); all.hasNext(); ) {
            Uploaded u = all.next();
            if (u.table == table) {
                if (u != tables.peekFirst()) {
                    all.remove();
                    tables.addFirst(u);
                }
                return u;
            }
        }
        Uploaded made = new Uploaded(table, upload.row(table.cos()), upload.row(table.sin()));
        tables.addFirst(made);
        if (tables.size() > KEPT) {
            tables.removeLast();
        }
        return made;
    }
}
