package dev.tiller.kernels.cuda;

import dev.tiller.kernels.WeightRows;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;

/**
 * Brings weights to the device: rows are read and converted into one pinned buffer while another one is being copied.
 * Lives on the GPU's thread, which is joined by the processors' pool for reading.
 */
final class MatrixLoader implements AutoCloseable {
    private static final int BUFFERS = 2;
    private static final long BUFFER = 16L << 20;

    private final CudaDevice device;
    private final PinnedMemory[] buffers = new PinnedMemory[BUFFERS];
    private final CudaEvent[] copied = new CudaEvent[BUFFERS];
    private int next;

    MatrixLoader(CudaDevice device) {
        this.device = device;
    }

    /** Copies all rows to the matrix; done when the stream is. The source is not needed after. */
    void load(WeightRows source, CudaMatrix target) {
        long rowBytes = (long) source.columns() * source.format().bytes();
        int step = (int) Math.max(1, BUFFER / rowBytes);
        for (int row = 0; row < source.rows(); row += step) {
            int count = Math.min(step, source.rows() - row);
            PinnedMemory buffer = free(Math.max(BUFFER, rowBytes));
            fill(source, row, count, buffer.segment());
            device.copyToDevice(target.address() + row * rowBytes, buffer, 0, count * rowBytes);
            copied[next].record();
            next = (next + 1) % BUFFERS;
        }
    }

    /** The next buffer, when the copy from it is done. */
    private PinnedMemory free(long bytes) {
        if (buffers[next] == null) {
            buffers[next] = device.pin(bytes);
            copied[next] = new CudaEvent(device);
            return buffers[next];
        }
        copied[next].await();
        if (buffers[next].segment().byteSize() < bytes) {
            buffers[next].close();
            buffers[next] = device.pin(bytes);
        }
        return buffers[next];
    }

    private static void fill(WeightRows source, int first, int count, MemorySegment to) {
        int columns = source.columns();
        long rowBytes = (long) columns * source.format().bytes();
        int pieces = count * rowBytes < 1 << 16
                ? 1
                : Math.min(count, 4 * Runtime.getRuntime().availableProcessors());
        IntStream.range(0, pieces).parallel().forEach(piece -> {
            float[] scratch = new float[columns];
            for (int r = (int) ((long) count * piece / pieces); r < (int) ((long) count * (piece + 1) / pieces); r++) {
                source.row(first + r, scratch, to, r * rowBytes);
            }
        });
    }

    @Override
    public void close() {
        for (int i = 0; i < BUFFERS; i++) {
            if (buffers[i] != null) {
                buffers[i].close();
                copied[i].close();
                buffers[i] = null;
            }
        }
    }
}
