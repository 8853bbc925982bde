package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class TensorViewTest {
    @Test
    void shapeGivesRowsColumnsAndElements() {
        TensorView view = new TensorView("w", DType.F32, new long[] {3, 5}, MemorySegment.NULL, "test");
        assertEquals(15, view.elements());
        assertEquals(3, view.rows());
        assertEquals(5, view.columns());
    }
}
